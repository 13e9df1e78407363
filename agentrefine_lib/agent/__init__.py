"""How a language model sees an episode and how its reply is read: prompts, truncation, parsing."""

from agentrefine_lib.agent.prompting import KEEP, Chat, Prompting, Prompts, drop_oldest, read_examples
from agentrefine_lib.agent.reply import Reply, parse_reply

__all__ = ["KEEP", "Chat", "Prompting", "Prompts", "Reply", "drop_oldest", "parse_reply", "read_examples"]
