"""The registry ``params/artefacts.yaml``: each figure and table, and the claims that it lets anybody test."""

from pathlib import Path
from typing import Any, Literal

import pandas as pd
import yaml
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agentrefine_lib.runner.profile import NOT_YAML
from agentrefine_lib.schema import explain

FILE = Path("params") / "artefacts.yaml"
POINTS = "points"  # percentage points


class Claim(BaseModel):
    """One testable sentence, and the test that decides it; its result is the row ``id`` of ``claims_*.csv``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    says: str
    test: str
    unit: str = POINTS  # of the difference; shares are told in points, everything else as it is
    tried: str = ""  # what did not help, where it does not hold
    engines: list[str] = []  # of the panel of chapter 4, whose tasks decide it: results.power


class Artefact(BaseModel):
    """A figure or table: ``<id>.csv``, and ``<id>.png`` where it is drawn."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    title: str
    notebook: str
    columns: list[str]
    reported: Literal["first-hand", "read off bars", "not transcribed", "none"]
    claims: list[Claim] = []
    beyond: bool = False  # not in the paper
    paper: str = Field(default="", pattern=r"^((Figure|Table|Equation|Algorithm) \d+)?$")  # its number there
    definition: str = ""  # what the paper says it is
    code: list[str] = []  # where it is defined: room.module.name

    def places(self, root: Path) -> list[tuple[str, str, int]]:
        """Where it is defined in a repository: name, path and line of each. Raises ValueError where it is not."""
        return [(name.rpartition(".")[2], *_place(name, root)) for name in self.code]


def load_artefacts(root: Path) -> list[Artefact]:
    """The registry of a repository; nothing where it has none. Raises ValueError naming the entry that is wrong."""
    if not (root / FILE).is_file():
        return []
    try:
        entries = yaml.safe_load((root / FILE).read_text(encoding="utf-8"))
    except NOT_YAML as error:
        raise ValueError(f"{FILE}: not YAML: {error}") from None
    if not isinstance(entries, list):
        raise ValueError(f"{FILE}: found {type(entries).__name__}, expected a list of figures and tables")
    artefacts = [_read(entry, number) for number, entry in enumerate(entries, start=1)]
    names = [a.id for a in artefacts], [c.id for a in artefacts for c in a.claims]
    if twice := sorted({name for group in names for name in group if group.count(name) > 1}):
        raise ValueError(f"{FILE}: {', '.join(twice)}: is there twice")
    return artefacts


def _read(entry: Any, number: int) -> Artefact:
    try:
        return Artefact.model_validate(entry)
    except ValidationError as error:
        name = entry.get("id", number) if isinstance(entry, dict) else number
        raise ValueError(f"{FILE}: entry {name}: {explain(error)}") from None


def _place(name: str, root: Path) -> tuple[str, int]:
    module, _, defined = name.rpartition(".")
    path = f"agentrefine_lib/{module.replace('.', '/')}.py"
    if (root / path).is_file():
        starts = tuple(f"{word} {defined}" for word in ("def", "async def", "class"))
        for number, line in enumerate((root / path).read_text(encoding="utf-8").splitlines(), start=1):
            if line.startswith(starts) and line.partition(defined)[2][:1] in ("(", ":"):
                return path, number
    raise ValueError(f"{FILE}: code: {name} is not defined in {path}")


def read_table(artefact: Artefact, folder: Path) -> pd.DataFrame | None:
    """The artefact's CSV; None where there is none. Raises ValueError where columns that it should have are missing."""
    path = folder / f"{artefact.id}.csv"
    if not path.exists():
        return None
    table = pd.read_csv(path)
    if missing := [column for column in artefact.columns if column not in table]:
        raise ValueError(f"{path.name}: found no column {', '.join(missing)}, which {FILE} promises; fix one of them")
    return table


def description(png: Path) -> str:
    """The alternative text that ``plots.save`` wrote into a PNG: what it shows, and in a second line how to read it."""
    with Image.open(png) as image:
        return str(image.info.get("Description", ""))


def alt_text(png: Path, otherwise: str) -> str:
    """The same in letters that mean nothing in Markdown."""
    return (description(png) or otherwise).translate(str.maketrans("[]<>`\\\n", "()()'/ "))


def read_claims(folder: Path) -> pd.DataFrame:
    """The tests of all chapters that ran: a row per claim, indexed by its id."""
    tables = [pd.read_csv(path) for path in sorted(folder.glob("claims_*.csv"))]
    if not tables:
        return pd.DataFrame(columns=["compared", "difference", "low", "high", "p", "n", "seeds", "verdict"])
    return pd.concat(tables, ignore_index=True).set_index("claim")
