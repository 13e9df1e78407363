"""The training sets of the ablations: the same jobs, one thing changed in each."""

import asyncio
from itertools import pairwise

import pytest

from agentrefine_lib.dataset import to_conversation
from agentrefine_lib.schema import DMTurn, Trajectory, read_jsonl
from agentrefine_lib.synthesis import SETS, Job, Synthesis, synthesize, synthesize_sets
from agentrefine_lib.verify import check_trajectory

ASKED = Synthesis(slip_rate=0.4, loops=0.2, held_out=[])


@pytest.fixture(scope="module")
def sets(jobs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    asyncio.run(synthesize(ASKED.teacher(), jobs(40), folder / "agentrefine"))
    asyncio.run(synthesize_sets(list(SETS), ASKED, jobs(40), folder))
    return {path.name: list(read_jsonl(path / "trajectories.jsonl", Trajectory)) for path in folder.iterdir()}


def by_id(trajectories):
    return {trajectory.id: trajectory for trajectory in trajectories}


def losses(trajectory):
    return [m.loss for m in to_conversation(trajectory).conversations if m.sender == "gpt"]


def repeated(trajectory):
    """Whether an action that was refused stands there again right away."""
    said = [(t.action, a.is_error) for t, a in zip(trajectory.turns[1::2], trajectory.turns[2::2], strict=True)]
    return any(one == other and one[1] for one, other in pairwise(said))


def test_every_set_has_the_plays_of_the_main_one(sets):
    assert len(sets["agentrefine"]) >= 38
    for name, trajectories in sets.items():
        assert len(trajectories) >= 36, name
        assert [t.id for t in trajectories] == sorted(t.id for t in trajectories)


@pytest.mark.parametrize("name", ["no_refinement", "errors_slips", "errors_loops"])
def test_worlds_and_words_are_shared(sets, name):
    main = by_id(sets["agentrefine"])
    shared = [t for t in sets[name] if t.id in main]
    assert all(
        t.script == main[t.id].script and t.turns[0].observation == main[t.id].turns[0].observation for t in shared
    )


def test_each_set_differs_in_its_one_thing(sets):
    assert all(all(losses(t)) for t in sets["no_refinement"])
    assert not any(map(repeated, sets["errors_slips"]))
    assert sum(map(repeated, sets["errors_loops"])) > 30
    assert {t.domain for t in sets["one_mechanic"]} == {"places"}
    main = by_id(sets["agentrefine"])
    kinds = [
        (t.script.environment["kind"].split("-")[1:], main[t.id].script.environment["kind"].split("-")[1:])
        for t in sets["one_mechanic"]
        if t.id in main
    ]
    assert all(one == other for one, other in kinds)  # costume and grammar
    verified = [t for name in set(sets) - {"no_verification", "no_refinement"} for t in sets[name]]
    assert all(check_trajectory(t.model_dump(by_alias=True)) is None for t in verified)


def test_without_verification_the_teachers_own_faults_stay(sets):
    found = {t.id: check_trajectory(t.model_dump(by_alias=True)) for t in sets["no_verification"]}
    reasons = {finding.reason for finding in found.values() if finding}
    assert {"code_invalid", "code_misses_signature", "goal_not_reached", "too_few_refinements"} <= reasons
    main = by_id(sets["agentrefine"])
    sound = [t for t in sets["no_verification"] if found[t.id] is None]
    assert 5 < len(sound) < 35 and all(t == main[t.id] for t in sound)
    assert all(isinstance(t.turns[-1], DMTurn) and to_conversation(t) for t in sets["no_verification"])


def test_personas_are_found_from_wherever_a_notebook_runs(tmp_path):
    (tmp_path / "p.jsonl").write_text('{"persona": "A chef."}\n')
    asked = Synthesis(personas="p.jsonl", seed=3)
    assert asked.jobs(1, tmp_path) == [Job("t-000003", "A chef.", 3)]
    with pytest.raises(ValueError, match=r"p\.jsonl: found 1 personas, expected 2"):
        asked.jobs(2, tmp_path)


def test_an_unknown_set_is_named(jobs, tmp_path):
    with pytest.raises(ValueError, match="sets: no such half; expected some of no_refinement, "):
        asyncio.run(synthesize_sets(["half"], ASKED, jobs(1), tmp_path))


@pytest.mark.parametrize("count", [0, -5])
def test_no_trajectory_is_none_to_look_for_in_the_rejections(count):
    with pytest.raises(ValueError, match=f"n_trajectories: found {count}, expected at least 1"):
        ASKED.jobs(count)
