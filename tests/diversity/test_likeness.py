"""No script of the embedded teacher is a test engine in disguise, and one that is gets found."""

import asyncio
import sys

import pytest

from agentrefine_lib import diversity
from agentrefine_lib.environments import panel, playable
from agentrefine_lib.environments.process import EngineFailure, TimeLimits
from agentrefine_lib.schema import ActionSpec, Script
from agentrefine_lib.teachers import EmbeddedTeacher, embedded_persona
from agentrefine_lib.teachers.embedded import MECHANICS
from agentrefine_lib.teachers.protocol import Brief

TASKS = {
    "alfworld": {"pick_and_place_simple": [0], "pick_clean_then_place_in_recep": [0]},
    "babyai": {"PickupLoc": [1234]},
    "scienceworld": {"find-plant": [225]},
    "pddl": {"gripper": [0], "blocksworld": [0], "barman": [0], "tyreworld": [0]},
    "jericho": {"goat": [0]},
    "hotpotqa": {"longer-river": [0]},
}


@pytest.fixture(scope="module")
def vocabularies():
    return asyncio.run(diversity.engine_vocabularies(playable(panel(TASKS))))


def script(actions):
    return Script(environment={}, goal="g", completion_conditions=["c"], available_actions=actions)


def spec(**parameters):
    return ActionSpec(verification_code="x", parameters=parameters)


def test_a_test_engine_in_disguise_is_found(vocabularies):
    gripper = next(known for known in vocabularies if known.task == "pddl/gripper/0")
    same = {signature.replace("{}", "{p}"): spec(p=["mug"]) for signature in gripper.signatures}
    assert diversity.likeness(script(same), [gripper]).same_commands
    objects = diversity.likeness(script({"use {x}": spec(x=["ball 7", "rooma", "roomb 2"])}), [gripper])
    assert objects.too_alike and objects.objects == pytest.approx(3 / 5)
    other = diversity.likeness(script({"use {x}": spec(x=["ball 7", "mug"])}), [gripper])
    assert not other.too_alike and other.task == gripper.task
    assert all(not known.task.startswith("jericho") for known in vocabularies)


@pytest.mark.slow
@pytest.mark.parametrize("mechanic", MECHANICS)
def test_no_script_of_the_teacher_is_one(vocabularies, mechanic):
    teacher = EmbeddedTeacher(mechanics=[mechanic], examples=0)
    for seed in range(400):
        written = asyncio.run(teacher.write_script(Brief(embedded_persona(seed), seed)))
        found = diversity.likeness(Script.model_validate(written, by_alias=True, by_name=False), vocabularies)
        assert not found.too_alike, found


def test_an_engine_that_hangs_is_named(monkeypatch):
    module = sys.modules[diversity.engine_vocabularies.__module__]
    monkeypatch.setattr(module, "TimeLimits", lambda: TimeLimits(start=0.001))
    with pytest.raises(EngineFailure, match=r"pddl/gripper/0: the engine gave no answer to start within 0\.001 s"):
        asyncio.run(diversity.engine_vocabularies(panel({"pddl": {"gripper": [0]}})))
