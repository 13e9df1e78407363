"""The same properties, their examples chosen by what code they reach: libFuzzer instead of Hypothesis' own choice.

    pip install atheris
    python tests/hostile/guided.py test_what_can_be_opened_can_be_shown [--seconds 60] [--runs 1000000]

Of the grammar of replies and the recovery of JSON: test_any_reply_has_one_action_and_can_be_kept_and_shown_again and
test_any_answer_has_json_that_can_be_written_again_or_none. Of PDDL, "pddl": the bytes themselves are domain, problem
and commands, which is many times faster than a property.

Stops at the first example that fails, with its traceback. Not part of the tests: atheris has no wheel for every Python.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
from inspect import signature
from pathlib import Path

import atheris
from hypothesis import given

with atheris.instrument_imports(include=["agentrefine_lib"]):
    import test_parsers
    from attacks import choose_good, patient

    from agentrefine_lib.schema import Trajectory, read_jsonl
    from agentrefine_lib.synthesis import Job, synthesize
    from agentrefine_lib.teachers import EmbeddedTeacher, embedded_persona


PIECES = dict(enumerate(test_parsers.PIECES, start=128))  # a byte is a character or one of these


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("property", help="of test_parsers.py")
    options.add_argument("--seconds", type=int, default=60, help="at most; 0: no limit")
    options.add_argument("--length", type=int, default=8000, help="bytes of an example; 100 for replies and answers")
    options.add_argument("--runs", type=int, default=-1, help="at most; -1: no limit")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        jobs = [Job(str(seed), embedded_persona(seed), seed) for seed in range(20)]
        made = asyncio.run(synthesize(EmbeddedTeacher(), jobs, Path(folder)))
        choose_good(list(read_jsonl(made, Trajectory)))
        corpus = Path(folder) / "corpus"  # Hypothesis reads choices from the bytes: few bytes are no example
        corpus.mkdir()
        for seed in range(100):
            (corpus / str(seed)).write_bytes(random.Random(seed).randbytes(4_000))
        limits = [f"-max_total_time={chosen.seconds}", f"-runs={chosen.runs}", f"-max_len={chosen.length}"]
        make = pddl(Path(folder), corpus) if chosen.property == "pddl" else target(chosen.property, Path(folder))
        words = Path(folder) / "words"  # libFuzzer's dictionary; an empty one it refuses
        limits += [f"-dict={words}"] if words.exists() else []
        print(f"{chosen.property}: {limits[:2]}; writes to {folder} only, until it ends", flush=True)
        atheris.Setup([sys.argv[0], *limits, "-len_control=0", str(corpus)], make)
        atheris.Fuzz()


def pddl(folder: Path, corpus: Path) -> object:
    """Files and commands as libFuzzer changes them, beginning with good ones."""
    parts = [test_parsers.DOMAIN, test_parsers.PROBLEM, "look around", "light"]
    (corpus / "good").write_bytes(b"\xff".join(part.encode() for part in parts))  # the byte is in no UTF-8 text
    words = {*test_parsers.WORDS, *" ".join(parts).split()} - {"\0"}
    (folder / "words").write_text("".join(f"{json.dumps(word)}\n" for word in sorted(words)))

    def play(data: bytes) -> None:
        domain, problem, *commands = [*data.split(b"\xff"), b""][:8]
        test_parsers.play_pddl(folder, domain, problem, [said.decode(errors="replace") for said in commands])

    return play


def target(name: str, folder: Path) -> object:
    """A property as libFuzzer wants it: bytes in, an exception out. What pytest would hand over is handed over here."""
    handle = getattr(test_parsers, name).hypothesis
    if handle._given_kwargs == {"text": test_parsers.written}:  # without Hypothesis, fifty times as fast
        return lambda data: handle.inner_test(text="".join(map(PIECES.get, data, map(chr, data))))
    wanted = signature(handle.inner_test).parameters.keys() - handle._given_kwargs.keys()
    known = {"folder": folder, "model": Trajectory, "engine": "jericho"}

    @patient
    @given(**handle._given_kwargs)
    def whole(**drawn: object) -> None:
        handle.inner_test(**{argument: known[argument] for argument in wanted}, **drawn)

    return whole.hypothesis.fuzz_one_input


if __name__ == "__main__":
    main()
