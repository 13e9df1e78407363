"""Any change to a good play is caught, or harmless for a reason that is written down here and checked.

What is harmless is said by an oracle of its own: Python's ``re`` and the parameter lists, no code of the verifier.
"""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentrefine_lib.dataset import to_conversation
from agentrefine_lib.schema import COMPLETED, DMTurn, PlayerTurn
from agentrefine_lib.verify import check_turns

FLAGS = ("parameter_error", "place_error", "logic_error")
property_test = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


PLAYS = []  # of the fixture, by number: hypothesis would print them all


@pytest.fixture(scope="module", autouse=True)
def plays(trajectories):
    PLAYS[:] = trajectories


def is_command(script, text):
    """The text, as it stands, is one of the script's commands with parameters that exist."""
    for signature, spec in script.available_actions.items():
        found = re.fullmatch(spec.verification_code, text)
        names = re.findall(r"\{(.*?)\}", signature)
        if found and all(value in spec.parameters[name] for name, value in zip(names, found.groups(), strict=True)):
            return text.isprintable()
    return False


def says_error(observation):
    return observation.strip().lower().startswith("error:")


def draw_play(data):
    trajectory = PLAYS[data.draw(st.integers(0, len(PLAYS) - 1), label="play")]
    return trajectory, list(trajectory.turns)


def draw_index(data, turns, kind):
    return data.draw(st.sampled_from([i for i, turn in enumerate(turns) if isinstance(turn, kind)]), label="turn")


def renumbered(turns):
    return [turn.model_copy(update={"turn": number}) for number, turn in enumerate(turns)]


@property_test
@given(data=st.data())
def test_another_action(data):
    """Harmless if the DM had flagged the turn (it is masked), or the new text is again a command of the script."""
    trajectory, turns = draw_play(data)
    index = draw_index(data, turns, PlayerTurn)
    old = turns[index].action
    others = [turn.action for turn in turns if isinstance(turn, PlayerTurn)]
    action = data.draw(
        st.one_of(
            st.text(min_size=1, max_size=40),
            st.sampled_from(
                [old.upper(), old[:-1], old + "x", f" {old} ", old.replace(" ", "  "), old + "\n", *others]
            ),
            st.integers(0, len(old)).map(lambda at: old[:at] + "\u200b" + old[at:]),
        ).filter(bool)
    )
    turns[index] = turns[index].model_copy(update={"action": action})
    finding = check_turns(trajectory.script, turns)
    if turns[index + 1].is_error or is_command(trajectory.script, action):
        assert finding is None
    else:
        assert (finding.reason, finding.keep) == ("error_unflagged", index)


@property_test
@given(data=st.data())
def test_a_flag_turned_off(data):
    """Harmless while another flag stands. Else it is caught, unless nothing in the record contradicts the DM: the
    action is a command of the script and the answer reports no error."""
    trajectory, turns = draw_play(data)
    index = data.draw(st.sampled_from([i for i, turn in enumerate(turns) if getattr(turn, "is_error", False)]))
    flag = data.draw(st.sampled_from([name for name in FLAGS if getattr(turns[index], name)]))
    turns[index] = turns[index].model_copy(update={flag: False})
    finding = check_turns(trajectory.script, turns)
    believable = is_command(trajectory.script, turns[index - 1].action) and not says_error(turns[index].observation)
    if turns[index].is_error or believable:
        assert finding is None
    else:
        assert (finding.reason, finding.keep) == ("error_unflagged", index - 1)


@property_test
@given(data=st.data())
def test_a_flag_turned_on(data):
    """A flag too many is legal: the play stays what it is, and at most one reply leaves the loss. It is caught where
    it contradicts the record: on the opening, which judges nothing, and on the end, which was reached."""
    trajectory, turns = draw_play(data)
    index = draw_index(data, turns, DMTurn)
    flag = data.draw(st.sampled_from([name for name in FLAGS if not getattr(turns[index], name)]))
    turns[index] = turns[index].model_copy(update={flag: True})
    finding = check_turns(trajectory.script, turns)
    if index == 0:
        assert (finding.reason, finding.keep) == ("order_broken", 0)
    elif index == len(turns) - 1:
        assert (finding.reason, finding.keep) == ("goal_too_early", index - 1)
    else:
        assert finding is None
        before = to_conversation(trajectory).conversations
        after = to_conversation(trajectory.model_copy(update={"turns": turns})).conversations
        assert [(m.sender, m.value) for m in before] == [(m.sender, m.value) for m in after]
        changed = [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a.loss != b.loss]
        assert changed in ([], [index - 1])  # the Player's turn n is message n
        assert all(after[i].loss is False for i in changed)


@property_test
@given(data=st.data())
def test_turns_dropped_doubled_or_swapped(data):
    """Always caught, at the turn where the order breaks. Numbers tell, whatever the turns say."""
    trajectory, turns = draw_play(data)
    how = data.draw(st.sampled_from(["drop", "double", "swap"]))
    at = data.draw(st.integers(0, len(turns) - 2))
    if how == "drop":
        length = data.draw(st.integers(1, len(turns) - 1 - at))
        del turns[at : at + length]
        fault = at
    elif how == "double":
        turns.insert(at, turns[at])
        fault = at + 1
    else:
        other = data.draw(st.integers(at + 1, len(turns) - 1))
        turns[at], turns[other] = turns[other], turns[at]
        fault = at
    finding = check_turns(trajectory.script, turns)
    assert (finding.reason, finding.keep) == ("order_broken", fault)


@property_test
@given(data=st.data())
def test_an_end_cut_off(data):
    """Always caught; what is kept can be continued: it ends with what the Player answers."""
    trajectory, turns = draw_play(data)
    kept = turns[: data.draw(st.integers(0, len(turns) - 1))]
    finding = check_turns(trajectory.script, kept)
    assert finding.reason == "goal_not_reached"
    assert finding.keep == len(kept) - (bool(kept) and isinstance(kept[-1], PlayerTurn))


@property_test
@given(data=st.data())
def test_other_numbers(data):
    """Always caught: one number changed, or all of them shifted."""
    trajectory, turns = draw_play(data)
    number = st.integers(0, 10**30)
    if data.draw(st.booleans()):
        index = data.draw(st.integers(0, len(turns) - 1))
        turns[index] = turns[index].model_copy(update={"turn": data.draw(number.filter(lambda n: n != index))})
        fault = index
    else:
        shift = data.draw(number.filter(bool))
        turns = [turn.model_copy(update={"turn": turn.turn + shift}) for turn in turns]
        fault = 0
    finding = check_turns(trajectory.script, turns)
    assert (finding.reason, finding.keep) == ("order_broken", fault)


@property_test
@given(data=st.data())
def test_actions_exchanged_and_roles_intact(data):
    """Two Player turns change places and numbers: harmless if each lands on a flag or still is a command."""
    trajectory, turns = draw_play(data)
    one, two = draw_index(data, turns, PlayerTurn), draw_index(data, turns, PlayerTurn)
    turns[one], turns[two] = turns[two], turns[one]
    turns = renumbered(turns)
    unfit = [
        index
        for index in sorted({one, two})
        if not turns[index + 1].is_error and not is_command(trajectory.script, turns[index].action)
    ]
    finding = check_turns(trajectory.script, turns)
    if unfit:
        assert (finding.reason, finding.keep) == ("error_unflagged", unfit[0])
    else:
        assert finding is None


@property_test
@given(data=st.data())
def test_roles_out_of_step_with_good_numbers(data):
    """A turn is left out or put in and the rest renumbered: caught, but for an opening that is not there."""
    trajectory, turns = draw_play(data)
    at = data.draw(st.integers(0, len(turns) - 2))
    copies = data.draw(st.sampled_from([0, 2]))
    turns[at : at + 1] = copies * [turns[at]]
    finding = check_turns(trajectory.script, renumbered(turns))
    if (at, copies) == (0, 0):
        assert finding is None  # a play may begin with the Player
    else:
        assert (finding.reason, finding.keep) == ("order_broken", at + copies // 2)


@property_test
@given(data=st.data())
def test_the_words_that_end_a_play(data):
    """Said too early, or not said at the end: always caught."""
    trajectory, turns = draw_play(data)
    index = draw_index(data, turns, DMTurn)
    observation = turns[index].observation
    if index == len(turns) - 1:
        without = observation.replace(COMPLETED, data.draw(st.sampled_from(["", "Done.", COMPLETED.upper()]))) or "-"
        expected = ("goal_not_reached", len(turns))
        observation = without
    else:
        at = data.draw(st.integers(0, len(observation)))
        observation = observation[:at] + COMPLETED + observation[at:]
        expected = ("goal_too_early", max(index - 1, 0))
    turns[index] = turns[index].model_copy(update={"observation": observation})
    finding = check_turns(trajectory.script, turns)
    assert (finding.reason, finding.keep) == expected
