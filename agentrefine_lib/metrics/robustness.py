"""What renamed commands cost: mean and spread over perturbations, drops, and replies in the old wording."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from agentrefine_lib.environments.perturbations import perturbations
from agentrefine_lib.environments.signature import parse_command
from agentrefine_lib.metrics.intervals import fixed_weights, percentiles, task_weights
from agentrefine_lib.metrics.paired import engine_of, grid, shared_tasks
from agentrefine_lib.schema import Episode, read_jsonl

UNPERTURBED = "none"
FIGURE_3 = ("P1", "P2", "P3")  # of the paper's perturbations
MEASURES = ("average", "std", "perturbed")


def old_wording(episode: Episode, perturbation: str) -> list[bool]:
    """For each step, whether its action is a command in the wording before the perturbation and none in the new one."""
    renamed = perturbations(episode.task.engine)[perturbation].signatures
    gone = [old for old, new in renamed.items() if new in episode.commands and old not in episode.commands]
    return [
        parse_command(step.action, gone) is not None and parse_command(step.action, episode.commands) is None
        for step in episode.steps
    ]


def old_wording_table(paths: Iterable[Path], perturbation: str) -> pd.DataFrame:
    """One row per episode: policy, task, and the share of its steps in the old wording."""
    rows = [
        {"policy": e.policy, "task": e.task.id, "old_wording": float(np.mean(old_wording(e, perturbation)))}
        for path in paths
        for e in read_jsonl(path, Episode)
    ]
    return pd.DataFrame(rows).assign(perturbation=perturbation)


def kept(episodes: pd.DataFrame, metric: str) -> pd.DataFrame:
    """One row per policy and task: ``kept``, the mean of ``metric`` over perturbations minus its unperturbed value."""
    keys = ["policy", "method", "seed", "engine", "task"]
    values = episodes.assign(value=episodes[metric].astype(float)).pivot_table(
        index=keys, columns="perturbation", values="value"
    )
    change = values.drop(columns=UNPERTURBED).mean(axis=1) - values[UNPERTURBED]
    return change.rename("kept").dropna().reset_index()


def robustness(episodes: pd.DataFrame, metric: str, seed: int = 0) -> pd.DataFrame:
    """A row per method, engine and measure, which the column ``perturbation`` names; a bootstrap over tasks and seeds.

    Table 3 of the paper: the mean without a perturbation and under each, the ``average`` of these columns and their
    ``std``, the standard deviation of a population (divided by their number). Figure 3: ``perturbed``, the mean over P1
    to P3, or over all perturbations where none of these was played. ``n``: episodes that a value is made of.
    """
    rows = []
    for (method, engine), group in episodes.groupby(["method", "engine"], sort=False):
        for measure in (*dict.fromkeys(group["perturbation"]), *MEASURES):
            value, resampled = spread(group, str(method), metric, measure, seed)
            low, high = percentiles(resampled) if np.isfinite(resampled).any() else (np.nan, np.nan)
            key = {"method": method, "engine": engine, "perturbation": measure, "metric": metric}
            n = group["perturbation"].isin(columns_of(measure, list(group["perturbation"].unique()))).sum()
            rows.append(key | {"value": value, "low": low, "high": high, "n": n, "seeds": group["seed"].nunique()})
    return pd.DataFrame(rows)


def columns_of(measure: str, played: Sequence[str]) -> list[str]:
    """The perturbations that a measure is made of, of those that were played."""
    if measure not in MEASURES:
        return [measure]
    if measure != "perturbed":
        return list(played)
    return [name for name in FIGURE_3 if name in played] or [name for name in played if name != UNPERTURBED]


def spread(
    episodes: pd.DataFrame, method: str, metric: str, measure: str = "std", seed: int = 0
) -> tuple[float, np.ndarray]:
    """A measure of one method (one of MEASURES, or a perturbation), and its values in resamples of tasks and seeds.

    Every seed must have played every task under every perturbation. The same ``seed`` draws the same tasks, so that two
    methods are compared draw by draw.
    """
    grids = {str(name): grid(part, method, metric) for name, part in episodes.groupby("perturbation")}
    tasks = shared_tasks(*grids.values())
    engines = [engine_of(task) for task in tasks]
    rng = np.random.default_rng(seed)
    weights = task_weights(len(tasks), rng, engines)
    cells = {name: table[tasks].to_numpy(float) for name, table in grids.items()}
    count = max(len(table) for table in cells.values())
    seeds = rng.multinomial(count, np.full(count, 1 / count), size=len(weights)) / count
    plain = {name: np.array([table.mean(0) @ fixed_weights(engines)]) for name, table in cells.items()}
    drawn = {name: ((seeds @ table) * weights).sum(1) for name, table in cells.items()}
    return float(_measure(plain, measure)[0]), _measure(drawn, measure)


def spread_claim(
    name: str, episodes: pd.DataFrame, method: str, baseline: str, metric: str, seed: int = 0
) -> dict[str, object]:
    """A row for ``claims``: does the method's ``metric`` vary more over wordings than the baseline's? No p."""
    found: dict[str, object] = {"claim": name, "compared": f"{method} - {baseline}, standard deviation of {metric}"}
    if not {method, baseline} <= set(episodes["method"]):
        return found
    (ours, draws), (theirs, others) = (spread(episodes, who, metric, "std", seed) for who in (method, baseline))
    if not np.isfinite([ours, theirs]).all():
        return found
    low, high = percentiles(draws - others)
    seeds = int(episodes[episodes["method"].isin([method, baseline])].groupby("method")["seed"].nunique().min())
    n = episodes["task"].nunique()
    return found | {"difference": ours - theirs, "low": low, "high": high, "n": n, "seeds": seeds}


def _measure(means: dict[str, np.ndarray], measure: str) -> np.ndarray:
    columns = np.array([means[name] for name in columns_of(measure, list(means))])
    if not len(columns):
        return np.full_like(next(iter(means.values())), np.nan)
    summed: np.ndarray = columns.std(axis=0) if measure == "std" else columns.mean(axis=0)
    return summed
