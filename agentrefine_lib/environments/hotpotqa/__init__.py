"""HotpotQA: questions that need two articles, answered by search, lookup and finish (ReAct)."""

from agentrefine_lib.environments.hotpotqa.corpus import question_tasks
from agentrefine_lib.environments.hotpotqa.environment import HotpotQA
from agentrefine_lib.environments.hotpotqa.scoring import exact_match, f1

__all__ = ["HotpotQA", "exact_match", "f1", "question_tasks"]
