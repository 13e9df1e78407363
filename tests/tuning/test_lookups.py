"""Questions for where things are: what is answered was told, what was never told is said to be nowhere."""

import random
import re

from agentrefine_lib.tuning.pretraining.lookups import write_lookups


def exchanges(seed, longest=14):
    """What was told so far, and the answer."""
    chat, told = write_lookups(random.Random(seed), longest), ""
    for asked, answer in zip(chat[::2], chat[1::2], strict=True):
        told += f"{asked['content']}\n"
        yield told, answer["content"]


def test_every_part_of_an_answer_was_told_and_what_is_nowhere_was_not():
    parts = 0
    for seed in range(300):
        for told, answer in exchanges(seed):
            for part in answer.split("; "):
                if part.endswith("was nowhere yet"):
                    lacking = part.removesuffix(" was nowhere yet").removesuffix(" need what")
                    assert not re.search(
                        rf"(^|[ ;]){re.escape(lacking)} (?!was|\n)[a-z]", told.replace("?", "").replace(".", "")
                    )
                elif part.startswith("I am "):
                    place = re.fullmatch(r"I am (?:in|at) (.*?)(, too|, not there)?", part)[1]
                    assert told.rindex(place) >= 0
                else:
                    assert part in told, (seed, part)
                parts += 1
    assert parts > 5_000


def test_here_is_where_the_last_place_was_told():
    seen = {", too": 0, ", not there": 0, "": 0}
    for seed in range(300):
        for _, answer in exchanges(seed):
            stands, here = (
                re.search(r"\S+ (?:in|at) ([^;]*); I am", answer),
                re.search(r"I am (?:in|at) ([^;,]*)(, [^;]*)?", answer),
            )
            if stands:
                seen[here[2]] += 1
                assert (stands[1] == here[1]) is (here[2] == ", too")
            else:
                seen[""] += 1
    assert min(seen.values()) > 200


def test_a_store_is_closed_until_it_is_opened():
    opened = 0
    for seed in range(300):
        for told, answer in exchanges(seed):
            closed = re.search(r"([^;]*) is closed", answer)
            if closed:
                since = told[told.rindex(f"{closed[1].strip()} is closed") :]
                assert f"{closed[1].strip()} is open now" not in since
            opened += "is open now" in told
    assert opened > 200
