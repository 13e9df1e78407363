"""What is left of general ability (figure 12): instructions followed, checked by a program, and a judge's grades."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from agentrefine_lib.metrics.episodes import label_policies
from agentrefine_lib.metrics.intervals import mean_interval
from agentrefine_lib.schema import Answer, Question, read_jsonl
from agentrefine_lib.verify.answers import passed


def followed(paths: Iterable[Path], questions: Sequence[Question], models: pd.DataFrame) -> pd.DataFrame:
    """One row per model and question: policy, method, seed, engine ("general"), task, and what it is scored by.

    ``success``: every check is passed, as IFEval's strict score of prompts; ``checks``: the share that is.
    """
    asked = {question.id: question for question in questions}
    rows = []
    for answer in (answer for path in paths for answer in read_jsonl(path, Answer)):
        if question := asked.get(answer.question):
            checks = passed(question, answer).values()
            key = {"policy": answer.model, "engine": "general", "task": f"general/{question.id}"}
            rows.append(key | {"success": all(checks), "checks": sum(checks) / len(checks)})
    columns = ["policy", "engine", "task", "success", "checks"]
    return label_policies(pd.DataFrame(rows, columns=columns), models)


def graded(grades: pd.DataFrame, models: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """A row per method: the mean grade from 1 to 10 of ``verify.grading.grade``, over questions, each the mean of its
    replies, and a bootstrap over questions."""
    rows = []
    known = label_policies(grades.dropna(subset="grade").rename(columns={"model": "policy"}), models)
    for method, group in known.groupby("method", sort=False):
        means = group.groupby("question")["grade"].mean()
        low, high = mean_interval(means.to_numpy(float), seed)
        found = {"value": means.mean(), "low": low, "high": high, "n": len(group)}
        rows.append({"method": method, "engine": "general", "metric": "MT-bench"} | found)
    return pd.DataFrame(rows, columns=["method", "engine", "metric", "value", "low", "high", "n"])
