"""Figures and tables on disk: each figure beside its CSV; the same data gives the same bytes."""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure


def style() -> None:
    """The look of every figure, and tables whose texts MathJax leaves alone: it would make links of some."""
    pd.set_option("display.html.use_mathjax", False)
    sizes = {"axes.labelsize": 8.5, "xtick.labelsize": 8, "ytick.labelsize": 8, "legend.fontsize": 8}
    sns.set_theme(style="whitegrid", font="DejaVu Sans", rc=sizes | {"grid.color": "0.9", "axes.edgecolor": "0.8"})


def save(figure: Figure, table: pd.DataFrame, folder: Path, name: str) -> Path:
    """Write ``name.csv``, ``.png`` and ``.pdf``, the same bytes for the same data. Returns the CSV's path.

    The figure's label is its alternative text: the PNG holds it, and a notebook shows that PNG with it.
    """
    path, told = write_table(table, folder, name), str(figure.get_label())
    figure.savefig(path.with_suffix(".png"), dpi=150, metadata={"Software": None, "Description": told})
    figure.savefig(path.with_suffix(".pdf"), metadata={"CreationDate": None, "Title": told})
    if "ipykernel" in sys.modules:
        from IPython.display import Image as Shown
        from IPython.display import display

        plt.close(figure)
        display(Shown(path.with_suffix(".png"), alt=told, width=700, metadata={"artefact": name}))
    return path


def write_table(table: pd.DataFrame, folder: Path, name: str) -> Path:
    """Write ``name.csv`` with six significant digits."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.csv"
    table.to_csv(path, index=False, float_format="%.6g", lineterminator="\n")
    return path
