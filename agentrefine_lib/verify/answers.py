"""Does an answer do what its instruction demands? Decided by a program, in the manner of IFEval (arXiv 2311.07911)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import re2
import yaml

from agentrefine_lib.schema import Answer, Question, read_lines

QUESTIONS = Path(__file__).with_name("questions.yaml")
Check = Callable[[str, Any], bool]


def checked_questions(count: int | None = None) -> list[Question]:
    """The instructions whose answers are checked; at most ``count`` of them, of all kinds."""
    told = yaml.safe_load(QUESTIONS.read_text(encoding="utf-8"))
    every = [Question(id=name, turns=[ask["ask"]], checks=ask["checks"]) for name, ask in told.items()]
    count = min(count or len(every), len(every))
    return [every[number * len(every) // count] for number in range(count)]


def passed(question: Question, answer: Answer) -> dict[str, bool]:
    """Each check of the question, and whether the last reply passes it. An empty reply passes none."""
    text = answer.replies[-1].encode(errors="replace").decode().strip()  # RE2 raises on half a surrogate pair
    return {kind: bool(text) and CHECKS[kind](text, demand) for kind, demand in question.checks.items()}


def _found(pattern: str, text: str) -> list[str]:
    return [match.group() for match in re2.finditer(pattern, text)]


def _words(text: str) -> list[str]:
    return _found(r"[\p{L}\p{N}]+(?:['’-][\p{L}\p{N}]+)*", text)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _items(text: str) -> list[str]:
    """The entries of a list, one a line or between commas, without bullets and numbers."""
    parts = _lines(text) if len(_lines(text)) > 1 else text.split(",")
    return [re2.sub(r"^(?:[-*•]|\d+[.)])\s*", "", part.strip()).rstrip(".") for part in parts]


def _value(text: str) -> Any:
    """The JSON that a text is, alone or in one fenced block; None for anything else."""
    fenced = re2.fullmatch(r"(?s)```(?:json)?\s*\n(.*)\n```", text)
    try:
        return json.loads(fenced.group(1) if fenced else text)
    except (ValueError, RecursionError):
        return None


def _is_json(text: str, demand: dict[str, Any]) -> bool:
    """``keys``: an object with just these; ``items``: a list of so many; ``kind``: what each value or item is."""
    value, kinds = _value(text), {"text": (str,), "number": (int, float)}
    if "keys" in demand and not (isinstance(value, dict) and set(value) == set(demand["keys"])):
        return False
    if "items" in demand and not (isinstance(value, list) and len(value) == demand["items"]):
        return False
    inside = value.values() if isinstance(value, dict) else value
    return all(isinstance(one, kinds[demand["kind"]]) for one in inside) if "kind" in demand else True


def _within(number: int, demand: list[int]) -> bool:
    return demand[0] <= number <= demand[1]


def _times(text: str, demand: dict[str, list[int]]) -> bool:
    words = [word.lower() for word in _words(text)]
    return all(_within(words.count(word), times) for word, times in demand.items())


def _said(text: str) -> str:
    """An answer of a word or a number without its full stop, bold marks and quotes."""
    return text.strip(" .!*\"'`\n").lower()


CHECKS: dict[str, Check] = {  # kind → what is demanded of a text; [least, most] for numbers
    "words": lambda text, demand: _within(len(_words(text)), demand),
    "characters": lambda text, demand: _within(len(text), demand),
    "sentences": lambda text, demand: _within(len(_found(r"[.!?]+[\"'”)]*(?:\s|$)", text)), demand),
    "lines": lambda text, demand: _within(len(_lines(text)), demand),
    "paragraphs": lambda text, demand: _within(len([p for p in re2.split(r"\n\s*\n", text) if p.strip()]), demand),
    "bullets": lambda text, demand: _within(len(_found(r"(?m)^\s*[-*•] ", text)), demand),
    "numbered": lambda text, n: (
        [int(_found(r"\d+", mark)[0]) for mark in _found(r"(?m)^\s*\d+[.)] ", text)] == list(range(1, n + 1))
    ),
    "items": lambda text, demand: _within(len(_items(text)), demand),
    "sorted": lambda text, _: [item.lower() for item in _items(text)] == sorted(item.lower() for item in _items(text)),
    "contains": lambda text, parts: all(part.lower() in text.lower() for part in parts),
    "lacks": lambda text, parts: not any(part.lower() in text.lower() for part in parts),
    "times": _times,
    "begins": lambda text, part: text.startswith(part),
    "ends": lambda text, part: text.endswith(part),
    "case": lambda text, case: text == getattr(text, case)() and any(letter.isalpha() for letter in text),
    "matches": lambda text, pattern: re2.fullmatch(pattern, text) is not None,
    "says": lambda text, words: _said(text) in words,
    "initials": lambda text, letters: "".join(line.lstrip("-*• ")[:1] for line in _lines(text)).lower() == letters,
    "json": _is_json,
}


def open_questions(path: Path) -> list[Question]:
    """Questions without checks from a file in MT-bench's format: a line of ``question_id`` and ``turns`` for each."""
    rows = [json.loads(line) for _, _, line in read_lines(path)]
    return [Question(id=f"open-{row['question_id']}", turns=row["turns"]) for row in rows]
