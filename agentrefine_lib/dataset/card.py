"""The data set card: a README.md in which every number was measured on the data that it lies beside."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from agentrefine_lib.dataset.statistics import measure
from agentrefine_lib.schema import Trajectory, answers, atomic_write_text

if TYPE_CHECKING:
    import pandas as pd

PER_TRAJECTORY = {  # column of the statistics → its name on the card
    "player_turns": "Player turns",
    "parameter_errors": "parameter errors",
    "place_errors": "place errors",
    "logic_errors": "logic errors",
    "refinements": "error → refinement turns",
    "available_actions": "commands",
    "player_characters": "characters of thoughts and actions",
}
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def templates(room: str, **more: Any) -> Environment:
    """The Jinja templates that lie in a room of the library; ``more`` goes to Jinja. A name not given is an error."""
    return Environment(
        loader=PackageLoader(room, "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **more,
    )


def write_card(
    folder: Path,
    trajectories: Iterable[Trajectory],
    *,
    title: str,
    licence: str,
    commit: str,
    data_files: Sequence[str],
) -> Path:
    """Write ``README.md`` for data made from the trajectories; returns its path.

    ``licence`` is an SPDX or Hugging Face identifier, ``commit`` that of the code that made the data, ``data_files``
    the names of the files beside the card. Everything else is measured. Raises ValueError when there is no trajectory.
    """
    import pandas as pd

    table = pd.DataFrame([_row(trajectory) for trajectory in trajectories])
    if table.empty:
        raise ValueError(f"{title}: no trajectories, so there is nothing to describe")
    environment = templates("agentrefine_lib.dataset")
    environment.filters["cell"] = lambda text: " ".join(str(text).split()).replace("|", "\\|")
    text = environment.get_template("card.md.jinja").render(
        title=title,
        licence=licence,
        commit=commit,
        data_files=data_files,
        size=next((name for limit, name in SIZES if len(table) < limit), "n>1M"),
        **_measurements(table),
    )
    path = folder / "README.md"
    atomic_write_text(path, text)
    return path


def _row(trajectory: Trajectory) -> dict[str, Any]:
    return measure(trajectory) | {
        "teacher": trajectory.teacher,
        "persona": trajectory.persona,
        "seed": trajectory.seed,
        "erroneous": sum(answer.is_error for answer in answers(trajectory.turns)),
    }


def _measurements(table: "pd.DataFrame") -> dict[str, Any]:
    columns = list(PER_TRAJECTORY)
    summary = table[columns].agg(["mean", "min", "median", "max", "sum"])
    return {
        "rows": len(table),
        "per_trajectory": [(PER_TRAJECTORY[name], summary[name].to_dict()) for name in columns],
        "turns": int(table["player_turns"].sum()),
        "masked": int(table["erroneous"].sum()),
        "domains": _shares(table["domain"].replace("", "(none)")),
        "teachers": _shares(table["teacher"].replace("", "(not recorded)")),
        "personas": table["persona"].nunique(),
        "seeds": (table["seed"].nunique(), table["seed"].min(), table["seed"].max()),
    }


def _shares(column: "pd.Series[str]") -> list[tuple[str, int]]:
    """Values with their counts, most frequent first, ties by name."""
    counts = column.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    return [(str(name), int(count)) for name, count in counts.items()]
