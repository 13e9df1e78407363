"""Questions for the next step: its reasons were told, its command is one of the list, and nothing is carried out."""

import random
import re

from agentrefine_lib.tuning.pretraining.lookups import draw_style
from agentrefine_lib.tuning.pretraining.steps import write_steps

PARTS = r"\w+: (.*)\. I want that (.*?); (.*)\. The command: (.*)\n\w+: (.*)"


def exchanges(seed, longest=12):
    """What was told so far, what is asked last, and the parts of the answer; of chats in plain words."""
    if not draw_style(random.Random(seed)).plain:  # what is drawn first
        return
    chat, told = write_steps(random.Random(seed), longest), ""
    for asked, answer in zip(chat[::2], chat[1::2], strict=True):
        told += f"{asked['content']}\n"
        yield told, asked["content"].rpartition("\n\n")[2], re.fullmatch(PARTS, answer["content"]).groups()


def test_reasons_were_told_and_what_is_nowhere_was_not():
    known = unknown = 0
    for seed in range(400):
        for told, question, (held, wanted, reasons, form, _) in exchanges(seed):
            assert held in question and f"Wanted: {wanted}." in question
            assert f"- {form}\n" in told
            told = re.sub(r"Wanted: .*|I hold .*", "", told)
            for reason in reasons.split("; "):
                if reason.endswith("was nowhere yet"):
                    lacking = reason.removesuffix(" was nowhere yet").removesuffix(" what")
                    assert f"; {lacking} " not in told.replace("that ", "; ")
                    unknown += 1
                elif not reason.startswith("I am "):
                    assert reason in told, (seed, reason)
                    known += 1
    assert known > 2_000 and unknown > 500


def test_commands_are_forms_with_names_filled_in():
    seen = set()
    for seed in range(400):
        for told, _, (_, _, _, form, command) in exchanges(seed):
            spelled = re.escape(re.sub(r"\{\w+\}", "\0", form)).replace("\0", "(.+?)")
            names = re.fullmatch(spelled, command)
            assert names and all(name in told for name in names.groups()), (form, command)
            seen.add(len(names.groups()))
    assert seen == {1, 2}


def test_here_is_where_the_last_place_was_told_and_a_step_leads_elsewhere_if_it_is_not_there():
    for seed in range(400):
        for told, _, (_, _, reasons, _, command) in exchanges(seed):
            here = re.findall(r"You are (?:in|at) (.*?)\. You see", told)[-1]
            assert re.search(rf"I am (in|at) {re.escape(here)}(,|;|$)", reasons)
            if reasons.endswith("not there"):
                assert here.removeprefix("the ") not in re.split(r"[\[\](), ]+", command)
