"""The human's panel, its callbacks driven without a browser."""

import asyncio

import pytest

from agentrefine_lib.policies import HumanPolicy
from agentrefine_lib.schema import Step

EVIL = "<img src=x onerror=alert(1)> & more"


async def asked(human):
    """Until the panel waits for an answer."""
    async with asyncio.timeout(5):
        while human.button.disabled:
            await asyncio.sleep(0)


def press(human, action, thought=""):
    human.action.value, human.thought.value = action, thought
    human.button.click()


@pytest.fixture
def episode(start):
    episode = start("GoToDoor")
    episode.opening = episode.opening._replace(observation=EVIL, goal=EVIL, rules=EVIL, commands={EVIL: EVIL})
    return episode


def test_a_click_with_an_action_is_the_reply(episode):
    async def play():
        human, mishaps = HumanPolicy(), []
        asyncio.get_running_loop().set_exception_handler(lambda _, mishap: mishaps.append(mishap))
        answer = asyncio.create_task(human.act([episode]))
        await asked(human)
        assert "turn left" in human.action.options
        press(human, "  ")
        await asyncio.sleep(0.01)
        assert not answer.done()
        press(human, "turn left ", " To look around.")
        human.button.click()  # a double click
        assert await answer == ["Thought: To look around.\nAction: turn left"]
        assert human.button.disabled
        human.button.click()
        assert not mishaps

    asyncio.run(play())


def test_what_engines_say_is_escaped_and_a_refusal_is_shown(episode):
    async def play():
        human = HumanPolicy()
        for error in (None, "logic"):
            answer = asyncio.create_task(human.act([episode]))
            await asked(human)
            assert "<img" not in human.scene.value
            assert human.scene.value.count("&lt;img src=x onerror=alert(1)&gt; &amp; more") >= 5
            assert ("refused: logic" in human.scene.value) == (episode.steps != [])
            press(human, "toggle")
            await answer
            step = Step(reply="", thought="", action=EVIL, observation=EVIL, progress=0, error=error or "logic")
            episode.steps.append(step)

    asyncio.run(play())


def test_episodes_take_turns_at_the_one_panel(start):
    async def play():
        human, answers = HumanPolicy(), []
        for seed in (0, 1):
            answers.append(asyncio.create_task(human.act([start("GoToDoor", seed)])))
        for seed in (0, 1):
            await asked(human)
            assert f"babyai/GoToDoor/{seed}, step 1" in human.scene.value
            press(human, f"go {seed}")
            assert (await answers[seed])[0].endswith(f"Action: go {seed}")

    asyncio.run(play())
