"""The example plays that prompts show: real ones, of tasks that nobody is tested on, and short."""

from contextlib import closing
from pathlib import Path

import pytest
import yaml
from transformers import AutoTokenizer

from agentrefine_lib.agent import Prompting, read_examples
from agentrefine_lib.environments import EngineMissingError, engines, make_environment, panel
from agentrefine_lib.environments.perturbations import Perturbed, perturb_episode, perturbations
from agentrefine_lib.environments.process import Opening
from agentrefine_lib.environments.registry import OURS, get_engine
from agentrefine_lib.schema import EXAMPLE_STEPS, Task, format_example, format_reply

ROOT = Path(__file__).parents[1]
EXAMPLES = {episode.task.engine: episode for episode in read_examples(ROOT / "params" / "examples")}
SLOW = ("alfworld", "scienceworld")
PLAYED = [name for name in OURS if "expert" in get_engine(name).expected]  # others' games have no expert
CASES = [pytest.param(name, marks=pytest.mark.slow if name in SLOW else []) for name in PLAYED]
TOKENS = 450  # of a prompt's 2,048, at most


def replayed(episode, environment):
    """What the engine says to the actions of a play, and what it is called."""
    with closing(environment):
        said = [environment.reset(episode.task), *(environment.step(step.action) for step in episode.steps)]
        return said, (environment.goal, environment.rules, environment.commands, environment.version)


@pytest.mark.parametrize("engine", CASES)
def test_an_example_is_what_the_engine_answers(engine):
    episode = EXAMPLES[engine]
    try:
        environment = make_environment(episode.task)
    except EngineMissingError as missing:
        pytest.skip(str(missing))
    (first, *results), told = replayed(episode, environment)
    assert first == episode.observation
    kept = [(step.observation, step.progress, step.error) for step in episode.steps]
    assert [(r.observation, r.progress, r.error) for r in results] == kept  # else: make it anew from its actions
    assert all(error is None for _, _, error in kept) and results[-1].success == episode.success
    assert told[:3] == (episode.goal, episode.rules, episode.commands)


@pytest.mark.parametrize("engine", [name for name in PLAYED if name != "embedded"])
def test_an_example_is_renamed_as_the_engine_is(engine):
    for name in perturbations(engine):
        renamed = perturb_episode(name, EXAMPLES[engine])
        try:
            environment = Perturbed(make_environment(renamed.task), perturbations(engine)[name])
        except EngineMissingError as missing:
            pytest.skip(str(missing))
        if engine in SLOW:
            environment.close()
            continue
        (first, *results), _ = replayed(renamed, environment)
        assert [first, *(r.observation for r in results)] == [
            renamed.observation,
            *(step.observation for step in renamed.steps),
        ]
        assert all(step.reply == format_reply(step.thought, step.action) for step in renamed.steps)


def test_every_engine_has_an_example_and_it_is_short(tiny):
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    assert set(EXAMPLES) == set(PLAYED)
    for episode in EXAMPLES.values():
        steps = [(step.thought, step.action, step.observation) for step in episode.steps]
        assert len(steps) <= EXAMPLE_STEPS
        assert len(tokenizer(format_example(episode.goal, episode.observation, steps))["input_ids"]) <= TOKENS
        assert all(step.reply == format_reply(step.thought, step.action) for step in episode.steps)


def panels(value):
    """Everything in a profile that names tasks: engine → task name → seeds."""
    if not isinstance(value, dict):
        return
    seeds = [s for names in value.values() if isinstance(names, dict) for s in names.values()]
    if set(value) <= set(engines()) and seeds and all(isinstance(s, list) for s in seeds):
        yield value
    for inner in value.values():
        yield from panels(inner)


@pytest.mark.parametrize("path", sorted((ROOT / "params").glob("*.yaml")), ids=lambda path: path.stem)
def test_no_example_is_a_task_of_a_panel(path):
    played = {task.id for found in panels(yaml.safe_load(path.read_text())) for task in panel(found)}
    games = {task_id.rpartition("/")[0] for task_id in played if task_id.startswith("jericho/")}
    for engine, episode in EXAMPLES.items():
        assert episode.task.id not in played
        assert engine != "jericho" or f"jericho/{episode.task.name}" not in games  # another seed is the same story


def test_a_folder_without_examples_is_named(tmp_path):
    with pytest.raises(ValueError, match=f"examples: no JSONL file in {tmp_path}"):
        read_examples(tmp_path)


def test_the_prompt_with_an_example_word_for_word():
    task = Task(engine="babyai", name="GoToDoor", seed=1)
    opening = Opening("A door.", "open it", "Be quick.", {"turn left": "turn"}, "1")
    lead = (
        "You act in a text world. Answer every observation in two lines:\nThought: what you make of it and what you do "
    )
    lead += "next\nAction: one of the commands, its parameters filled in\n\nBe quick.\n\n"
    rest = "Commands:\n- turn left\n\nGoal: open it\n\nObservation: A door."
    assert Prompting().chat(task, opening, []) == [{"role": "user", "content": lead + rest}]
    short = EXAMPLES["babyai"].model_copy(update={"steps": EXAMPLES["babyai"].steps[1:2], "observation": "A wall."})
    example = (
        "An example, in another place:\nGoal: open the door\nObservation: A wall.\n"
        "Thought: Key in hand, but I face a wall now. The door was on my left.\nAction: turn left\n"
        f"Observation: {short.steps[0].observation}\nEnd of the example.\n\n"
    )
    shown = Prompting(examples=(short,)).chat(task, opening, [])
    assert shown == [{"role": "user", "content": lead + example + rest}]
