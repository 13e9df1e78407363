"""One look for every figure; the CSV it is drawn from lies beside it, and the same data gives the same bytes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure


def style() -> None:
    """The look of every figure, and tables whose texts MathJax leaves alone: it would make links of some."""
    pd.set_option("display.html.use_mathjax", False)
    sns.set_theme(style="whitegrid", context="notebook", palette="colorblind", font="DejaVu Sans")


def save(figure: Figure, table: pd.DataFrame, folder: Path, name: str) -> Path:
    """Write ``name.csv``, ``.png`` and ``.pdf``, the same bytes for the same data. Returns the CSV's path."""
    path = write_table(table, folder, name)
    figure.savefig(path.with_suffix(".png"), dpi=150, bbox_inches="tight", metadata={"Software": None})
    figure.savefig(path.with_suffix(".pdf"), bbox_inches="tight", metadata={"CreationDate": None})
    return path


def write_table(table: pd.DataFrame, folder: Path, name: str) -> Path:
    """Write ``name.csv`` with six significant digits."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.csv"
    table.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")
    return path
