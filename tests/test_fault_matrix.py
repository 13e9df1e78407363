"""Every operation under every fault: a test states the outcome, or a sentence says why there is nothing to test.

``python tests/test_fault_matrix.py`` writes the table, tests/FAULTS.md, from the tests' own ``fault`` markers.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).parent
TABLE = TESTS / "FAULTS.md"
OPERATIONS = {
    "synthesis": "`synthesis.synthesize`: trajectories and rejections, appended",
    "verification": "`python -m agentrefine_lib.verify`: reads whole files, writes nothing",
    "dataset": "`dataset.write_conversations`, exports, and masks: whole files, written at once",
    "training": "`tuning.tune`: checkpoints, a log, a model",
    "rollouts": "`rollout.roll_out`: episodes, appended; engines in processes of their own",
    "reproduce": "`python -m agentrefine_lib.runner`: notebooks in kernels, figures, a manifest",
}
FAULTS = [
    *["kill -9", "SIGINT", "full disk", "read-only output", "half a last line", "garbage in the last line"],
    *["truncated Parquet", "two runs at once", "clock jump"],
    *["endpoint 401", "endpoint 429", "endpoint 500", "endpoint timeout", "endpoint garbage"],
    *["engine crash", "engine hang"],
]
ENDPOINT, ENGINE = FAULTS[9:14], FAULTS[14:]
NOTEBOOK = "ends a cell as any error does: `runner/test_chapters.py::test_a_failing_cell_is_shown_and_mended`"
EXCUSED = {
    "synthesis": {"truncated Parquet": "reads no Parquet"} | dict.fromkeys(ENGINE, "plays without an engine"),
    "verification": {
        "full disk": "writes nothing",
        "read-only output": "writes nothing",
        "two runs at once": "reads only",
        "clock jump": "looks at no time",
    }
    | dict.fromkeys(ENDPOINT, "asks no endpoint; the judge's answers are recorded by the client of synthesis")
    | dict.fromkeys(ENGINE, "plays nothing"),
    "dataset": {"clock jump": "looks at no time"}
    | dict.fromkeys(ENDPOINT, "asks no endpoint")
    | dict.fromkeys(ENGINE, "plays nothing"),
    "training": {
        "half a last line": "reads conversations, which appear whole; a spoilt file is refused as under dataset",
        "garbage in the last line": "as half a last line",
        "truncated Parquet": "as half a last line",
    }
    | dict.fromkeys(ENDPOINT, "asks no endpoint")
    | dict.fromkeys(ENGINE, "plays nothing"),
    "rollouts": {"truncated Parquet": "reads no Parquet"},
    "reproduce": dict.fromkeys([*ENDPOINT, *ENGINE], NOTEBOOK),
}


class Cell(NamedTuple):
    """One marker: which cell it fills, what becomes of it, and the test that shows it."""

    operation: str
    fault: str
    outcome: str
    test: str


def markers(tree: ast.AST) -> list[list[str]]:
    """The arguments of every ``pytest.mark.fault(…)`` in a piece of code."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    found = [c for c in calls if isinstance(c.func, ast.Attribute) and ast.unparse(c.func) == "pytest.mark.fault"]
    return [[ast.literal_eval(argument) for argument in call.args] for call in found]


def cells() -> Iterator[Cell]:
    for path in sorted(TESTS.rglob("test_*.py")):
        if path != Path(__file__):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            tests = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
            for test in tests:
                for decorator in test.decorator_list:
                    for arguments in markers(decorator):
                        yield Cell(*arguments, f"{path.relative_to(TESTS)}::{test.name}")


def rendered() -> str:
    tested = defaultdict(list)
    for cell in cells():
        tested[cell.operation, cell.fault].append(cell)
    lines = [
        "# What becomes of a run under a fault",
        "",
        "Made by `python tests/test_fault_matrix.py` from the markers of the tests; that test fails when a pair is",
        "neither tested nor excused, or this page is out of step. ● tested; – nothing to test, for the reason below.",
        "",
        f"| fault | {' | '.join(OPERATIONS)} |",
        f"|---{'|---' * len(OPERATIONS)}|",
    ]
    for fault in FAULTS:
        lines.append(f"| {fault} | {' | '.join('●' if tested[o, fault] else '–' for o in OPERATIONS)} |")
    for operation, what in OPERATIONS.items():
        lines += ["", f"## {operation}", "", what, "", "| fault | outcome | shown by |", "|---|---|---|"]
        told = [
            (fault, row)
            for fault in FAULTS
            for row in [f"{cell.outcome} | `{cell.test}`" for cell in tested[operation, fault]]
            or [f"– | {EXCUSED.get(operation, {}).get(fault)}"]
        ]
        for row, faults in groupby(told, key=lambda pair: pair[1]):
            lines.append(f"| {', '.join(fault for fault, _ in faults)} | {row} |")
    return "\n".join(lines) + "\n"


def test_every_pair_is_tested_or_excused_and_the_table_says_so():
    filled = {(cell.operation, cell.fault) for cell in cells()}
    excused = {(operation, fault) for operation, reasons in EXCUSED.items() for fault in reasons}
    every = {(operation, fault) for operation in OPERATIONS for fault in FAULTS}
    assert filled | excused == every, "neither tested nor excused, or unknown"
    assert not filled & excused, "tested and excused"
    used = sum(
        len(markers(ast.parse(path.read_text(encoding="utf-8"))))
        for path in TESTS.rglob("test_*.py")
        if path != Path(__file__)
    )
    assert used == len([*cells()]), "a marker that is on no test"
    assert TABLE.read_text(encoding="utf-8") == rendered(), "run python tests/test_fault_matrix.py"


if __name__ == "__main__":
    TABLE.write_text(rendered(), encoding="utf-8")
