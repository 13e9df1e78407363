"""What a table shows, in a sentence with its numbers: never more than the numbers carry."""

import pandas as pd

from agentrefine_lib.environments import titles
from agentrefine_lib.metrics.verdicts import FEWEST
from agentrefine_lib.plots.looks import AGENTREFINE, NOT_TRAINED, SIZES

SAME = 0.05  # percentage points: what one decimal cannot tell apart


def compared(scores: pd.DataFrame, what: str) -> str:
    """AgentRefine against the best other model: ``scores`` has a row per ``method``: value, low and high in percent.

    AgentRefine in other sizes and what was not trained do not compete.
    """
    known = scores[scores["value"].notna() & ~scores["method"].isin(NOT_TRAINED)].drop_duplicates("method")
    ours = known[known["method"] == AGENTREFINE]
    others = known[~known["method"].str.match(SIZES)].sort_values("value", kind="stable")
    if ours.empty:
        return f"No {what} of AgentRefine was measured"
    mine = ours.iloc[0]
    if not pd.concat([ours, others])["value"].any():
        names = ["AgentRefine", *others["method"]]
        who = f"Neither {' nor '.join(names)} has any" if len(names) < 4 else "None of the models tuned here has any"
        who = who if len(others) else "AgentRefine has no"
        return f"{who} {what}: 0 %" + (f" (n = {_tasks(mine):.0f})" if mine.get("n", 0) > 0 else "")
    if others.empty:
        return f"AgentRefine's {what} is {mine['value']:.1f} %; no other model was trained"
    best = others.iloc[-1]
    if abs(mine["value"] - best["value"]) < SAME:
        return f"AgentRefine and {best['method']} have the same {what}: {mine['value']:.1f} %"
    word = "above" if mine["value"] > best["value"] else "below"
    told = f"AgentRefine's {what}, {mine['value']:.1f} %, is {word} that of {best['method']}, {best['value']:.1f} %"
    return told + _doubt(mine, best)


def leads(scores: pd.DataFrame, what: str) -> str:
    """Where AgentRefine has more than every other model, and how often random actions have more than it does."""
    models = scores[~scores["method"].isin(NOT_TRAINED) & scores["value"].notna()]
    ours = models[models["method"] == AGENTREFINE].set_index("engine")[["value", "low"]]
    others = models[~models["method"].str.match(SIZES)].sort_values("value", kind="stable")
    rest = others.drop_duplicates("engine", keep="last").set_index("engine")[["value", "high"]]
    both = ours.merge(rest, left_index=True, right_index=True, suffixes=("", "_best"))
    if both.empty:
        return "AgentRefine was not played beside another model"
    if not both[["value", "value_best"]].any(axis=None):
        return f"No trained model has any {what} on {count(len(both), 'engine')}"
    ahead = both[both["value"] > both["value_best"]].sort_values("value", ascending=False, kind="stable")
    named, where = titles(ahead.index), []
    for engine, row in ahead.iterrows():
        doubt = ", intervals overlap" if row["low"] <= row["high"] else ""
        where.append(f"{named[str(engine)]} ({row['value']:.1f} %, the next {row['value_best']:.1f} %{doubt})")
    told = f"Of the trained models, AgentRefine has the most {what} on {len(where)} of {count(len(both), 'engine')}"
    told += f": {' and '.join(where[:2])}" if where else ""
    told += f" and {len(where) - 2} more" if len(where) > 2 else ""
    chance = scores[scores["method"] == NOT_TRAINED[0]].set_index("engine")["value"].reindex(both.index)
    luck = (chance > both["value"]).sum()
    return told + (f"; random valid actions have more on {luck} of {count(len(both), 'engine')}" if luck else "")


def changed(first: pd.Series, last: pd.Series, what: str, when: str) -> str:
    """How a value moved between two rows, each with ``value`` in percent and perhaps ``low`` and ``high``."""
    if pd.isna(first["value"]) or pd.isna(last["value"]):
        return f"{what} {when} was not measured"
    if abs(first["value"] - last["value"]) < SAME:
        return f"{what} stays at {last['value']:.1f} % {when}{_few(first, last)}"
    word = "rises" if last["value"] > first["value"] else "falls"
    return f"{what} {word} from {first['value']:.1f} % to {last['value']:.1f} % {when}{_doubt(first, last)}"


def _doubt(one: pd.Series, other: pd.Series) -> str:
    """What few tasks, or two marginal intervals, leave open; nothing is said where one is unknown."""
    if few := _few(one, other):
        return few
    ends = [row.get(end, float("nan")) for row in (one, other) for end in ("low", "high")]
    if any(map(pd.isna, ends)):
        return ""
    if ends[0] == ends[1] or ends[2] == ends[3]:  # all tasks scored alike: that is no certainty
        return ", but one of them is the same on every task"
    apart = ends[0] > ends[3] or ends[2] > ends[1]
    return "; their intervals do not overlap" if apart else ", but their intervals overlap"


def _few(one: pd.Series, other: pd.Series) -> str:
    """Says so where the tasks are too few to decide anything."""
    n = min(_tasks(one), _tasks(other))
    return f", but {count(int(n), 'task')} cannot tell" if n < FEWEST else ""


def _tasks(row: pd.Series) -> float:
    """The same of a row that may say neither."""
    return float(row.get("n", FEWEST)) / max(1, row.get("seeds", 1))


def tasks_of(scores: pd.DataFrame) -> pd.Series:
    """The tasks behind each score: ``n`` counts episodes, one of each task and seed."""
    return scores["n"] / scores.get("seeds", 1)


def count(number: int, noun: str) -> str:
    """1 task, 1,000 tasks."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
