"""What notebooks declare in their parameters cells, and whether the values handed to them fit."""

import ast
import json
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

from agentrefine_lib.schema import did_you_mean

SIMPLE_TYPES = {"int": int, "float": float, "str": str, "bool": bool, "list": list, "dict": dict}


class Parameter(NamedTuple):
    """A line of a notebook's parameters cell, ``name: annotation = default  # help``, and which notebook that is."""

    annotation: str
    default: Any
    help: str
    where: str


class Given(NamedTuple):
    """One value handed to the notebooks, and the file and line, or the -p, that it comes from."""

    where: str
    name: str
    value: Any


def resolve(node: ast.expr) -> Any:
    """The type that an annotation means, from a closed list of names. Raises ValueError for anything else."""
    match node:
        case ast.Name(id=name) if name in SIMPLE_TYPES:
            return SIMPLE_TYPES[name]
        case ast.Constant(value=None):
            return None
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return resolve(left) | resolve(right)
        case ast.Subscript(value=ast.Name(id="list"), slice=item):
            return list[resolve(item)]  # type: ignore[misc]
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[ast.Name(id="str"), item])):
            return dict[str, resolve(item)]  # type: ignore[misc]
    raise ValueError("expected the type int, float, str, bool, list[…], dict[str, …] or … | None")


def fit(annotation: str, value: Any) -> Any:
    """The value as its declared type (an int becomes a float). Raises ValueError saying what was found and expected."""
    try:
        return TypeAdapter(resolve(ast.parse(annotation, mode="eval").body)).validate_python(value, strict=True)
    except ValidationError as error:
        message = f"found {value!r} ({type(value).__name__}), expected {annotation}"
        if isinstance(value, list | dict):
            first = error.errors()[0]
            message += f": at {'.'.join(str(key) for key in first['loc'])}: {first['msg']}"
        elif "float" in annotation and isinstance(value, str) and "e" in value.lower():
            message += ": YAML takes a number with an exponent for text unless it has a dot and a sign, as in 1.0e-3"
        raise ValueError(message) from None


def literal(node: ast.expr) -> Any:
    """The value of a literal. Raises ValueError for an expression, whose value only the notebook knows."""
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise ValueError("expected a plain value as the default, not an expression") from None


class Cell(NamedTuple):
    """What counts of a notebook's cell."""

    kind: str
    source: str
    tags: list[str]


def read_cells(notebook: Path) -> list[Cell]:
    """The cells of a notebook in format 4, read as JSON: to import ``nbformat`` takes two seconds."""
    return [
        Cell(cell["cell_type"], "".join(cell["source"]), cell["metadata"].get("tags", []))
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    ]


def declared_parameters(notebook: Path, problems: list[str]) -> dict[str, Parameter]:
    """What a notebook declares in its cell tagged ``parameters``; adds what is wrong with it to ``problems``.

    Read with ``ast``: papermill's own inspection overlooks ``X | None`` and a default or comment that holds a ``=``.
    """
    where = f"{notebook.parent.name}/{notebook.name}"
    if not notebook.is_file():
        problems.append(f"{where} does not exist")
        return {}
    cells = [cell for cell in read_cells(notebook) if "parameters" in cell.tags]
    if len(cells) > 1:
        problems.append(f"{where}: found {len(cells)} cells tagged 'parameters', expected one")
    source = cells[0].source if cells else ""
    try:
        body = ast.parse(source).body
    except SyntaxError as error:
        problems.append(f"{where}: the parameters cell is not Python: {error}")
        return {}
    found: dict[str, Parameter] = {}
    for node in body:
        if isinstance(node, ast.Assign):
            problems.append(f"{where}: found {ast.unparse(node)}, expected a type, as in n_steps: int = 30")
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            line = source.encode().splitlines()[(node.end_lineno or 1) - 1]
            comment = line[node.end_col_offset :].decode().partition("#")[2].strip()
            name, annotation, default = node.target.id, ast.unparse(node.annotation), None
            try:
                default = fit(annotation, literal(node.value))
            except ValueError as error:
                problems.append(f"{where}: {name}: {annotation} = {ast.unparse(node.value)}: {error}")
            found[name] = Parameter(annotation, default, comment, where)
    return found


def one_vocabulary(declared: dict[str, dict[str, Parameter]], problems: list[str]) -> dict[str, Parameter]:
    """All names that may be given. A name that two notebooks declare with different types becomes a problem."""
    known = {name: Parameter("str", "", "a folder", "the runner") for name in ("run_dir", "figures_dir")}
    for parameters in declared.values():
        for name, here in parameters.items():
            there = known.setdefault(name, here)
            if here.annotation != there.annotation:
                problems.append(
                    f"{here.where}: {name}: found {here.annotation}, expected {there.annotation} as in {there.where}"
                )
    return known


def check_values(given: list[Given], known: dict[str, Parameter], problems: list[str]) -> dict[str, Any]:
    """The values by name, a later one replacing an earlier one; unknown names and wrong types become problems.

    Those of sections are left as they are (``sections.check_sections``).
    """
    values: dict[str, Any] = {}
    for where, name, value in given:
        if name not in known and (fields := [full for full in known if full.startswith(f"{name}.")]):
            problems.append(f"{where}: {name}: found {value!r}, expected its fields, as in {fields[0]}=…")
            continue
        if name not in known:
            problems.append(f"{where}: {name}: no notebook declares this parameter{did_you_mean(name, known)}")
            continue
        try:
            values[name] = value if "." in name else fit(known[name].annotation, value)
        except ValueError as error:
            meaning = f" ({known[name].help})" if known[name].help else ""
            problems.append(f"{where}: {name}: {error}{meaning}")
    return values
