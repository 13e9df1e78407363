"""Bad scripts, plays and lines, kept as data: each is rejected for exactly its reason and keeps exactly its turns.

A case changes the base record: ``turns`` picks turns of it by index, ``change`` sets values at paths. What would make
the file unreadable is written as a rule: {"$repeat": [text, n]}, {"$list": [value, n]}, {"$keys": [n, value]},
{"$nest": depth}, {"$digits": n}, {"$infinity": true}, {"$turns": n}, {"$drop": true}.
"""

import copy
import json
from pathlib import Path
from typing import get_args

import pytest

from agentrefine_lib.schema import Script
from agentrefine_lib.verify import (
    Finding,
    Reason,
    Rejection,
    check_script,
    check_trajectories,
    check_trajectory,
    check_turns,
    parse_turns,
)

CORPUS = json.loads((Path(__file__).parent / "corpus.json").read_text())
RECORDS = [case for case in CORPUS["cases"] if "line" not in case]
LINES = [case for case in CORPUS["cases"] if "line" in case]


def expand(value):
    if isinstance(value, list):
        return [expand(item) for item in value]
    if not isinstance(value, dict) or not any(key.startswith("$") for key in value):
        return value
    [(rule, argument)] = value.items()
    if rule == "$nest":
        nested = []
        for _ in range(argument):
            nested = [nested]
        return nested
    if rule == "$turns":
        turns = CORPUS["base"]["trajectory"]
        return [turns[0], *({**turns[3 + (n - 1) % 2], "turn": n} for n in range(1, argument))]
    return {
        "$repeat": lambda: argument[0] * argument[1],
        "$list": lambda: [argument[0]] * argument[1],
        "$keys": lambda: {f"x{n}": argument[1] for n in range(argument[0])},
        "$digits": lambda: 10**argument,
        "$infinity": lambda: float("inf"),
    }[rule]()


def build(case):
    record = copy.deepcopy(CORPUS["base"])
    if "turns" in case:
        record["trajectory"] = [dict(record["trajectory"][index]) for index in case["turns"]]
    if case.get("renumber"):
        for number, turn in enumerate(record["trajectory"]):
            turn["turn"] = number
    for path, value in case.get("change", []):
        part = record
        for key in path[:-1]:
            part = part[key]
        if value == {"$drop": True}:
            del part[path[-1]]
        else:
            last = path[-1] if isinstance(path[-1], int) else expand(path[-1])
            part[last] = expand(value)
    return record


def test_the_base_is_fit():
    assert check_trajectory(CORPUS["base"]) is None


@pytest.mark.parametrize("case", RECORDS, ids=lambda case: case["name"])
def test_rejected_for_exactly_this_reason(case):
    record = build(case)
    finding = check_trajectory(record)
    assert finding is not None
    assert (finding.reason, finding.keep) == (case["reason"], case["keep"])
    kept = Rejection(id="x", persona="", seed=0, attempt=0, reason=finding.reason, excerpt=finding.detail[:500])
    assert Rejection.model_validate_json(kept.to_json()) == kept  # whatever was found, it can be put on disk
    assert finding.detail.isprintable()


@pytest.mark.parametrize("case", [c for c in RECORDS if c["reason"] != "record_malformed"], ids=lambda c: c["name"])
def test_the_rule_itself_says_the_same(case):
    """The functions that synthesis calls, on the part of the record that each is for."""
    record = build(case)
    script = check_script(record["script"])
    if isinstance(script, Finding):
        assert script.reason == case["reason"]
        return
    assert isinstance(script, Script)
    turns, malformed = parse_turns(record["trajectory"])
    finding = check_turns(script, turns)
    if case["reason"] == "too_few_refinements":
        assert finding is None and malformed is None
    else:
        assert case["reason"] in (finding.reason, malformed and malformed.reason)


def test_lines_that_are_no_records(tmp_path):
    path = tmp_path / "t.jsonl"
    lines = [
        '{"script":' + "[" * case["line"]["$deep"] + "]" * case["line"]["$deep"] + "}"
        if isinstance(case["line"], dict)
        else case["line"]
        for case in LINES
    ]
    path.write_text("\n".join([*lines, json.dumps(CORPUS["base"])]) + "\n")
    *verdicts, good = check_trajectories(path, processes=1)
    assert [v.finding.reason for v in verdicts] == [case["reason"] for case in LINES]
    assert (good.line, good.id, good.finding) == (len(LINES) + 1, "base", None)


def test_the_corpus_is_whole():
    assert len(CORPUS["cases"]) >= 60
    assert len({case["name"] for case in CORPUS["cases"]}) == len(CORPUS["cases"])
    # given_up is the synthesis loop's own word, see tests/synthesis
    assert {case["reason"] for case in CORPUS["cases"]} == set(get_args(Reason)) - {"given_up"}
