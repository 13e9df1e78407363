"""Each rule of Algorithm 1 catches what it is there for, at the right turn."""

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentrefine_lib.schema import CodeError, DMTurn, PlayerTurn, compile_code, match_action
from agentrefine_lib.schema.actions import CODE_MEMORY, CODES_KEPT
from agentrefine_lib.verify import Finding, check_script, check_turns, count_refinements, parse_turns, trace


def changed(trajectory, index, **update):
    turns = list(trajectory.turns)
    turns[index] = turns[index].model_copy(update=update)
    return turns


def test_a_good_play_passes(three_turns, trajectories):
    assert check_turns(three_turns.script, three_turns.turns) is None
    assert count_refinements(three_turns.turns) == 1
    for trajectory in trajectories:
        assert isinstance(check_script(trajectory.script.model_dump(by_alias=True)), type(trajectory.script))
        assert check_turns(trajectory.script, trajectory.turns) is None
        assert count_refinements(trajectory.turns) >= 2


def test_an_error_without_its_flag_fails_the_play_at_that_turn(three_turns):
    finding = check_turns(three_turns.script, changed(three_turns, 2, parameter_error=False))
    assert finding is not None
    assert (finding.reason, finding.keep) == ("error_unflagged", 1)


def test_a_play_that_stops_early_keeps_all_it_has(three_turns):
    assert check_turns(three_turns.script, three_turns.turns[:5])[::2] == ("goal_not_reached", 5)
    assert check_turns(three_turns.script, three_turns.turns[:4])[::2] == ("goal_not_reached", 3)
    assert check_turns(three_turns.script, [])[::2] == ("goal_not_reached", 0)


def test_a_play_that_goes_on_after_its_end_is_refused(three_turns):
    longer = [*three_turns.turns, PlayerTurn(turn=7, thought="", action="take cup"), DMTurn(turn=8, observation="Yes.")]
    assert check_turns(three_turns.script, longer).reason == "goal_too_early"


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5])
def test_a_missing_turn_breaks_the_order(three_turns, cut):
    turns = three_turns.turns[:cut] + three_turns.turns[cut + 1 :]
    assert check_turns(three_turns.script, turns)[::2] == ("order_broken", cut)


def test_a_parameter_without_bounds_takes_any_text(three_turns):
    raw = three_turns.script.model_dump(by_alias=True)
    raw["Available Actions"]["say: {words}"] = {"verification code": r"say: (.+)", "parameters": {"words": None}}
    script = check_script(raw)
    assert match_action(script, "say: it is hot, I think").arguments == {"words": "it is hot, I think"}
    assert check_script(raw | {"Available Actions": {"say: {words}": {"verification code": "say: (hot)"}}}).reason


def test_two_errors_in_a_row_are_one_refinement(three_turns):
    turns = three_turns.turns
    again = [t.model_copy(update={"turn": t.turn + 2}) for t in turns[1:]]
    assert count_refinements([*turns[:3], *again]) == 1


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("Goal",), "", "script_malformed"),
        (("Completion Conditions",), [], "script_malformed"),
        (("Available Actions",), {}, "script_malformed"),
        (("Available Actions", "take {item}", "verification code"), r"^take (.+", "code_invalid"),
        (("Available Actions", "take {item}", "verification code"), r"^take (?!cup)(.+)$", "code_invalid"),
        (("Available Actions", "take {item}", "verification code"), r"^grab (.+)$", "code_misses_signature"),
        (("Available Actions", "take {item}", "verification code"), r"^take .+$", "code_misses_signature"),
        (("Available Actions", "take {item}", "parameters"), {}, "parameters_missing"),
        (("Available Actions", "take {item}", "parameters"), {"item": []}, "parameters_missing"),
        (("Available Actions", "take {item}", "parameters"), {"thing": ["cup"]}, "parameters_missing"),
    ],
)
def test_a_bad_script_is_refused_for_its_reason(three_turns, path, value, reason):
    raw = three_turns.script.model_dump(by_alias=True)
    part = raw
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    finding = check_script(raw)
    assert isinstance(finding, Finding)
    assert finding.reason == reason


def test_malformed_turns_keep_what_came_before(three_turns):
    raw = [turn.model_dump(by_alias=True) for turn in three_turns.turns]
    raw[3] = {"turn": 3, "role": "Player", "Thought": "no action"}
    turns, finding = parse_turns(raw)
    assert turns == three_turns.turns[:3]
    assert (finding.reason, finding.keep) == ("turn_malformed", 3)
    assert "Action" in finding.detail
    assert parse_turns("a story")[1].reason == "turn_malformed"


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.binary()
)
anything = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner))


@given(raw=anything, field=st.sampled_from(["Environment", "Goal", "Completion Conditions", "Available Actions"]))
def test_any_value_gets_a_verdict_that_can_be_written(raw, field):
    script = {"Environment": {}, "Goal": "g", "Completion Conditions": ["c"], "Available Actions": {}} | {field: raw}
    for finding in (check_script(raw), check_script(script), check_script({"Environment": {"x": raw}})):
        assert finding.detail.encode()
    assert all(
        finding is None or finding.detail.encode() for _, finding in map(parse_turns, (raw, [raw], [{"role": raw}]))
    )


def test_a_value_that_holds_itself_is_over_the_limit():
    circle: dict = {}
    circle["again"] = circle
    assert check_script({"Environment": circle}).reason == "too_large"


def test_compiled_codes_are_bounded_in_number_and_memory():
    for number in range(2 * CODES_KEPT):
        compile_code(f"^take{number} (.+)$")
    kept = compile_code.cache_info()
    assert kept.currsize <= kept.maxsize == CODES_KEPT
    assert compile_code("^a$").options.max_mem == CODE_MEMORY
    start = time.perf_counter()
    for code in (r"(\pL{1,500})", r"((a{100}){100}){100}", r"(?i)[^\pL]{300}", "(a*)*" * 199, "(.*)" * 249):
        with suppress(CodeError):
            compile_code(code).fullmatch("ab " * 166)
    assert time.perf_counter() - start < 2


def test_every_value_has_to_be_playable(three_turns):
    """The first value fits the code, the last does not: the Player could never use it."""
    raw = three_turns.script.model_dump(by_alias=True)
    raw["Available Actions"]["take {item}"] = {
        "verification code": r"^take (\w+)$",
        "parameters": {"item": ["cup", "plate", "red bowl"]},
    }
    assert "red bowl" in check_script(raw).detail


def test_a_trace_ends_at_the_first_fault(three_turns):
    whole = trace(three_turns.script, three_turns.turns)
    assert whole["verdict"].tolist() == ["read only", "learned from", "learned from"]
    assert whole["dm"].tolist() == ["parameter_error", "no error", "no error"]
    cut = trace(three_turns.script, changed(three_turns, 2, parameter_error=False))
    assert cut["verdict"].tolist() == ["rejected: error_unflagged"]
    assert "no available action" in cut["script"].iloc[0]
