"""``docs/definitions.md``: how the paper defines each artefact, beside the function that does so here."""

import argparse
from pathlib import Path

from agentrefine_lib.results.artefacts import load_artefacts
from agentrefine_lib.runner import repository
from agentrefine_lib.schema import atomic_write_text

PAGE = Path("docs") / "definitions.md"
HEAD = """# What the paper defines, and where it is here

Made from `params/artefacts.yaml` by `.venv/bin/python -m agentrefine_lib.results.definitions`; the definitions are in
our words.
The page of results, [figures/index.html](../figures/index.html), has the line of each function.

| paper | artefact | defined as | chapter | code |
|---|---|---|---|---|
"""


def definitions(root: Path) -> str:
    """The page: the paper's artefacts in its order, then ours. Raises ValueError for code that is not there."""
    rows = []
    for number, artefact in enumerate(load_artefacts(root)):
        code = ", ".join(f"[`{name}`](../{path})" for name, path, _ in artefact.places(root))
        told = artefact.definition or artefact.title
        chapter = f"[{artefact.notebook[:2]}](../notebooks/{artefact.notebook}.ipynb)"
        kind, _, place = artefact.paper.partition(" ")
        order = (["Figure", "Table", "Equation", "Algorithm", ""].index(kind), int(place or 0), number)
        rows.append((order, f"| {artefact.paper or '–'} | `{artefact.id}` | {told} | {chapter} | {code} |\n"))
    return HEAD + "".join(row for _, row in sorted(rows))


if __name__ == "__main__":
    argparse.ArgumentParser(prog="definitions", description=__doc__).parse_args()
    atomic_write_text(repository() / PAGE, definitions(repository()))
