"""What renamed commands cost: mean and spread over perturbations, drops, and the reliance on words."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from agentrefine_lib.metrics.intervals import fixed_weights, percentiles, resamples, task_weights
from agentrefine_lib.metrics.paired import engine_of, grid, over_engines, shared_tasks
from agentrefine_lib.metrics.trends import same_size, sizes_of
from agentrefine_lib.metrics.verdicts import Difference, claim_row

UNPERTURBED = "none"
FIGURE_3 = ("P1", "P2", "P3")  # of the paper's perturbations
RETRAINED = "P5"  # no wording: the model that is tuned without the data of the environments that are tested
TABLE_3 = (UNPERTURBED, *FIGURE_3, "P4", RETRAINED)  # its columns
REPLACED = ("synonyms", "nonsense")  # perturbations of every word of a command
MEASURES = ("average", "std", "perturbed")


def kept(episodes: pd.DataFrame, metric: str) -> pd.DataFrame:
    """One row per policy and task: ``kept``, the mean of ``metric`` over the perturbations of figure 3 (see
    ``robustness``) minus its unperturbed value."""
    keys = ["policy", "method", "seed", "engine", "task"]
    if episodes.empty:  # nobody played where a method was trained
        return pd.DataFrame(columns=[*keys, "kept"])
    changes = []
    for _, part in episodes.assign(value=episodes[metric].astype(float)).groupby("engine", sort=False):
        values = part.pivot_table(index=keys, columns="perturbation", values="value")
        changes.append(values[columns_of("perturbed", values.columns.tolist())].mean(axis=1) - values[UNPERTURBED])
    return pd.concat(changes).rename("kept").dropna().reset_index()


def robustness(episodes: pd.DataFrame, metric: str, seed: int = 0) -> pd.DataFrame:
    """A row per method, engine and measure, which the column ``perturbation`` names; a bootstrap over tasks and seeds.

    Table 3 of the paper: the mean without a perturbation and under each, the ``average`` of its six columns (without
    P5, of all that were played) and their ``std``, a population's (divided by their number). Figure 3: ``perturbed``,
    the mean over those of P1 to P3 that were played, or over all perturbations where none was. ``n``: episodes that a
    value is made of.
    """
    rows = []
    for (method, engine), group in episodes.groupby(["method", "engine"], sort=False):
        for measure in (*dict.fromkeys(group["perturbation"]), *MEASURES):
            value, resampled = spread(group, str(method), metric, measure, seed)
            low, high = percentiles(resampled) if np.isfinite(resampled).any() else (np.nan, np.nan)
            key = {"method": method, "engine": engine, "perturbation": measure, "metric": metric}
            n = group["perturbation"].isin(columns_of(measure, list(group["perturbation"].unique()))).sum()
            rows.append(key | {"value": value, "low": low, "high": high, "n": n, "seeds": group["seed"].nunique()})
    return pd.DataFrame(
        rows, columns=["method", "engine", "perturbation", "metric", "value", "low", "high", "n", "seeds"]
    )


def table_11(models: pd.DataFrame) -> list[str]:
    """The methods of the paper's table 11: AgentRefine on as many conversations as its ablations, on half of them,
    without refinement data, without verification. ``models``: ``tuning.models_table``.

    One that was not tuned is named all the same, the half "agentrefine_half".
    """
    ablations = ["no_refinement", "no_verification"]
    whole, sizes = same_size(models, ablations), sizes_of(models, "agentrefine")
    half = sizes[(2 * sizes / sizes.get(whole, np.nan)).between(0.9, 1.1)]
    return [whole, next(iter(half.index), "agentrefine_half"), *ablations]


def columns_of(measure: str, played: Sequence[str]) -> list[str]:
    """The perturbations that a measure is made of, of those that were played."""
    if measure not in MEASURES:
        return [measure]
    if measure != "perturbed":
        return [name for name in played if name in TABLE_3 or RETRAINED not in played]
    others = [name for name in played if name not in (UNPERTURBED, RETRAINED)]
    return [name for name in FIGURE_3 if name in played] or others


def reliance(episodes: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """tab_reliance: the progress that a method loses when the words of its commands are replaced.

    A row per method, engine and metric: by ``synonyms``, by ``nonsense`` (unknown words), and ``reliance``,
    the mean of both, or of the one that was played. ``all``: every engine weighs the same. Ours; the question is that
    of PIPE (arXiv 2026): has a model learned an interface, or to understand one?
    """
    rows = []
    for name, chosen in {**{name: [name] for name in REPLACED}, "reliance": list(REPLACED)}.items():
        lost = kept(episodes[episodes["perturbation"].isin([UNPERTURBED, *chosen])], "progress")
        lost = lost.assign(lost=-lost["kept"])
        parts = {"all": lost} | {str(engine): part for engine, part in lost.groupby("engine", sort=False)}
        rows += [over_engines(part, "lost", seed).assign(engine=where, metric=name) for where, part in parts.items()]
    return pd.concat(rows, ignore_index=True)


def spread(
    episodes: pd.DataFrame, method: str, metric: str, measure: str = "std", seed: int = 0
) -> tuple[float, np.ndarray]:
    """A measure of one method (one of MEASURES, or a perturbation), and its values in resamples of tasks and seeds.

    Of the seeds and tasks that were played under every perturbation. The same ``seed`` draws the same tasks, so that
    two methods are compared draw by draw.
    """
    grids = {str(name): grid(part, method, metric) for name, part in episodes.groupby("perturbation")}
    tasks = shared_tasks(*grids.values())
    engines = [engine_of(task) for task in tasks]
    rng = np.random.default_rng(seed)
    weights = task_weights(len(tasks), rng, engines)
    common = sorted(set.intersection(*(set(table.index) for table in grids.values())))
    cells = {name: table.loc[common, tasks].to_numpy(float) for name, table in grids.items()}
    seeds = resamples(len(common), rng, len(weights))
    plain = {name: table @ fixed_weights(engines) for name, table in cells.items()}
    drawn = {name: weights @ table.T for name, table in cells.items()}
    # of each seed, then averaged: the mean over seeds would vary less between wordings, the more seeds there are
    return float(_measure(plain, measure).mean()), (_measure(drawn, measure) * seeds).sum(1)


def spread_claim(
    name: str, episodes: pd.DataFrame, method: str, baseline: str, metric: str, seed: int = 0
) -> dict[str, object]:
    """A row for ``claims``: does the method's ``metric`` vary more over wordings than the baseline's? No p.

    Nothing is compared where one of the two has nothing without a perturbation: it cannot vary much.
    """
    told = f"{method} - {baseline}, standard deviation of {metric}"
    both = episodes[episodes["method"].isin([method, baseline])]
    if both["method"].nunique() < 2:
        return claim_row(name, told)
    (ours, draws), (theirs, others) = (spread(episodes, who, metric, "std", seed) for who in (method, baseline))
    plain = both[both["perturbation"] == UNPERTURBED].groupby("method")[metric].mean()
    if not np.isfinite([ours, theirs]).all() or not (plain.reindex([method, baseline]) > 0).all():
        return claim_row(name, told)
    low, high = percentiles(draws - others)
    seeds = int(both.groupby("method")["seed"].nunique().max())
    played = both.groupby("task")["perturbation"].nunique()
    n = int((played == played.max()).sum())  # the tasks that were played under all of them
    return claim_row(name, told, Difference(ours - theirs, low, high, n=n, seeds=seeds))


def _measure(means: dict[str, np.ndarray], measure: str) -> np.ndarray:
    columns = np.array([means[name] for name in columns_of(measure, list(means))])
    if not len(columns):
        return np.full_like(next(iter(means.values())), np.nan)
    summed: np.ndarray = columns.std(axis=0) if measure == "std" else columns.mean(axis=0)
    return summed
