"""The endpoint teacher: its prompts teach what the verifier checks, and over HTTP it is the server's teacher."""

import asyncio
import json
import re
from collections import Counter
from types import SimpleNamespace

import pytest

from agentrefine_lib.endpoint import EmptyAnswerError, Endpoint, EndpointError, EndpointSettings
from agentrefine_lib.schema import Ending, Script
from agentrefine_lib.synthesis import Job, Limits, synthesize_one
from agentrefine_lib.teachers import Brief, EmbeddedTeacher, embedded_persona
from agentrefine_lib.teachers.endpoint_teacher import PLAY_SCHEMA, SCRIPT_SCHEMA, EndpointTeacher
from agentrefine_lib.teachers.faults import IN_THE_ANSWER, Faults
from agentrefine_lib.teachers.server import make_app, read_work, serve
from agentrefine_lib.verify import check_script, check_turns, count_refinements, parse_turns


class Canned:
    """An endpoint whose answers are handed to it; it keeps what it was asked."""

    settings = SimpleNamespace(model="canned")

    def __init__(self, *texts):
        self.texts, self.asked = list(texts), []

    async def complete(self, messages, *, seed=None, json_schema=None):
        self.asked.append(SimpleNamespace(text=messages[0]["content"], seed=seed, schema=json_schema))
        return SimpleNamespace(text=self.texts.pop(0) if self.texts else "", ending=Ending(reason="stop"))


def first_jobs(count):
    return [Job(f"t-{seed:04d}", embedded_persona(seed), seed) for seed in range(count)]


def ask(teacher, brief, script=None, prefix=None):
    work = teacher.write_script(brief) if script is None else teacher.play(brief, script, prefix or [])
    return asyncio.run(work)


def synthesize_over_http(todo, faults=Faults(), limits=Limits(), **endpoint):  # noqa: B008
    """Outcomes of the jobs with the embedded teacher behind a server, and the server's counts."""
    app = make_app(EmbeddedTeacher(), faults)

    async def run(url):
        settings = EndpointSettings(base_url=url, model="embedded", max_tokens=16_000, backoff_s=0.01, retries=12)
        async with Endpoint(settings, **endpoint) as client:
            teacher = EndpointTeacher(client)
            return await asyncio.gather(*(synthesize_one(teacher, job, limits) for job in todo))

    with serve(app) as url:
        return asyncio.run(run(url)), app.state


# Prompts


def test_the_examples_in_the_prompts_pass_the_verifier(three_turns):
    canned = Canned()
    ask(EndpointTeacher(canned), Brief("A baker.", 1))
    ask(EndpointTeacher(canned), Brief("A baker.", 1), three_turns.script)
    scripts, [raw_play] = (
        [json.loads(line) for line in re.findall(r"^\{.*\}$", a.text, re.M)][:3] for a in canned.asked
    )
    script, *more = map(check_script, scripts)
    assert len(more) == 2 and all(isinstance(one, Script) and one.thought for one in (script, *more))
    turns, malformed = parse_turns(raw_play["turns"])
    assert malformed is None
    assert check_turns(script, turns) is None
    assert count_refinements(turns) == 2
    assert {flag for turn in turns for flag in ("parameter_error", "logic_error") if getattr(turn, flag, False)} == {
        "parameter_error",
        "logic_error",
    }


def test_requests_carry_the_work_and_a_schema_with_the_papers_keys(three_turns):
    canned, persona = Canned(), "A baker\nVariation: 9.9\u2028Persona: nobody"
    prefix = three_turns.turns[:3]
    ask(EndpointTeacher(canned), Brief(persona, 5, 2))
    ask(EndpointTeacher(canned), Brief(persona, 5, 2), three_turns.script, prefix)
    script, play = (read_work(asked.text) for asked in canned.asked)
    assert script.brief == Brief("A baker Variation: 9.9 Persona: nobody", 5, 2)  # a persona cannot forge a line
    assert (play.script, play.prefix) == (three_turns.script, prefix)
    assert "beginning with turn 3, which is the Player's" in canned.asked[1].text
    assert [asked.schema for asked in canned.asked] == [SCRIPT_SCHEMA, PLAY_SCHEMA]
    assert set(SCRIPT_SCHEMA["required"]) == {"Thought", *three_turns.script.model_dump(by_alias=True)}
    flags = ["parameter_error", "place_error", "logic_error"]
    assert PLAY_SCHEMA["$defs"]["DMTurn"]["required"] == [
        "turn",
        "role",
        "Thought",
        "Observation",
        *flags,
        "progress_rate",
        "finished",
    ]


def test_asking_again_is_another_request_and_a_run_repeated_is_the_same_requests(three_turns):
    brief, script, prefix = Brief("A baker.", 1), three_turns.script, three_turns.turns[:3]

    def seeds(teacher):
        ask(teacher, brief)
        for turns in ([], prefix, prefix, []):
            ask(teacher, brief, script, turns)
        found = [asked.seed for asked in teacher.endpoint.asked]
        teacher.endpoint.asked.clear()
        return found

    teacher = EndpointTeacher(Canned())
    first = seeds(teacher)
    assert len(set(first)) == 5
    assert all(0 <= seed < 2**31 for seed in first)
    assert seeds(teacher) == first  # a cell run twice
    assert seeds(EndpointTeacher(Canned())) == first  # a run continued after a kill
    assert first == [471234768, 1691568239, 1468020237, 237186360, 1838350296]  # pinned: recordings depend on them


# Answers


def test_answers_are_unwrapped(three_turns):
    script = three_turns.script.model_dump(by_alias=True)
    turns = [turn.model_dump(by_alias=True) for turn in three_turns.turns]
    for value in (script, [script], {"script": script}):
        teacher = EndpointTeacher(Canned(f"```json\n{json.dumps(value)}\n```"))
        assert ask(teacher, Brief("A baker.", 1)) == script
    for value in (turns, {"turns": turns}, [{"turns": turns}], {"notes": "none", "trajectory": turns}):
        teacher = EndpointTeacher(Canned(json.dumps(value)))
        assert ask(teacher, Brief("A baker.", 1), three_turns.script) == turns
    assert ask(EndpointTeacher(Canned(json.dumps(turns[3]))), Brief("", 1), three_turns.script) == [turns[3]]


def test_a_script_cut_off_is_refused_and_a_play_cut_off_keeps_its_whole_turns(three_turns):
    text = three_turns.script.to_json()
    teacher = EndpointTeacher(Canned(*(text[:end] for end in range(0, len(text), 7))))
    for _ in range(0, len(text), 7):
        assert check_script(ask(teacher, Brief("A baker.", 1))).reason == "script_malformed"
    turns = [turn.model_dump(by_alias=True) for turn in three_turns.turns]
    teacher = EndpointTeacher(Canned(json.dumps({"turns": turns})[:-30]))
    assert ask(teacher, Brief("A baker.", 1), three_turns.script) == turns[:-1]


def test_no_answer_is_rejected_as_malformed(three_turns):
    teacher = EndpointTeacher(Canned("I cannot help with that.", ""))
    assert check_script(ask(teacher, Brief("A baker.", 1))).reason == "script_malformed"
    assert parse_turns(ask(teacher, Brief("A baker.", 1), three_turns.script))[1].reason == "turn_malformed"


def test_an_answer_that_is_filtered_is_a_rejection_and_any_other_failure_ends_the_run():
    class Failing(Canned):
        async def complete(self, messages, *, seed=None, json_schema=None):
            raise self.texts[0]

    job, limits = Job("t", "A baker.", 1), Limits(attempts=2)
    filtered = EndpointTeacher(Failing(EmptyAnswerError("no", Ending(reason="content_filter"))))
    *rejections, given_up = asyncio.run(synthesize_one(filtered, job, limits)).rejections
    assert [(r.reason, r.ending.reason) for r in rejections] == [("script_malformed", "content_filter")] * 2
    assert (given_up.reason, given_up.ending) == ("given_up", None)
    with pytest.raises(EndpointError, match="blank"):
        asyncio.run(synthesize_one(EndpointTeacher(Failing(EndpointError("blank"))), job, limits))


# Over HTTP


def test_over_http_it_is_the_embedded_teacher():
    todo = first_jobs(25)
    outcomes, counts = synthesize_over_http(todo, Faults(chatty=0.7))
    for job, (trajectory, rejections) in zip(todo, outcomes, strict=True):
        alone, rejected_alone = asyncio.run(synthesize_one(EmbeddedTeacher(), job, Limits()))
        assert (trajectory.script, trajectory.turns) == (alone.script, alone.turns)
        assert rejections == rejected_alone
    assert counts.requests["script"] == 25 + sum(len(rejections) for _, rejections in outcomes)
    assert counts.requests["other"] == 0


@pytest.mark.parametrize(
    ("fault", "reasons"),
    [
        ("malformed_json", {"script_malformed", "turn_malformed"}),
        ("wrong_schema", {"script_malformed", "turn_malformed"}),
        ("rule_breaking", {"code_misses_signature", "error_unflagged", "goal_not_reached"}),
        ("truncated", {"script_malformed", "goal_not_reached"}),
    ],
)
def test_with_faults_what_is_accepted_is_good_and_rejections_say_why(fault, reasons):
    outcomes, counts = synthesize_over_http(first_jobs(25), Faults(**{fault: 0.4}, chatty=0.3, seed=1))
    accepted = [trajectory for trajectory, _ in outcomes if trajectory]
    assert len(accepted) >= 20
    for trajectory in accepted:
        assert isinstance(check_script(trajectory.script.model_dump(by_alias=True)), Script)
        assert check_turns(trajectory.script, trajectory.turns) is None
        assert count_refinements(trajectory.turns) >= 2
    found = Counter(rejection.reason for _, rejections in outcomes for rejection in rejections)
    assert reasons <= set(found) <= reasons | {"too_few_refinements", "given_up"}
    cut = [rejection.ending and rejection.ending.cut for _, rejections in outcomes for rejection in rejections]
    assert cut.count(True) == counts.faults["truncated"]  # each is told in the rejection of its answer
    assert sum(found[reason] for reason in reasons) == counts.faults[fault] > 20  # each fault is one rejection


def test_many_faults_at_once_then_a_replay_without_the_server(tmp_path):
    todo, recording = first_jobs(30), tmp_path / "recording.jsonl"
    names = ("too_many_requests", "server_error", "disconnect", *IN_THE_ANSWER)
    faults = Faults(**dict.fromkeys(names, 0.1), retry_after_s=0.05, chatty=0.5)
    outcomes, counts = synthesize_over_http(todo, faults, recording=recording)
    assert set(counts.faults) == set(names)
    assert sum(trajectory is not None for trajectory, _ in outcomes) >= 27
    again, untouched = synthesize_over_http(todo, recording=recording, mode="replay")
    assert again == outcomes
    assert not untouched.requests


def test_transport_faults_change_nothing_but_the_number_of_requests():
    todo = first_jobs(15)
    faults = Faults(too_many_requests=0.2, retry_after_s=0.02, server_error=0.2, disconnect=1)
    assert synthesize_over_http(todo, faults)[0] == synthesize_over_http(todo)[0]
