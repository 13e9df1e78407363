"""The panels without a browser: their pages follow their controls, and nothing from a file becomes markup."""

import asyncio

import pytest
from test_render import ATTACK, episode
from transformers import AutoTokenizer

from agentrefine_lib.dataset import to_conversation
from agentrefine_lib.environments.embedded import worlds_of
from agentrefine_lib.schema import ActionSpec, Task, read_jsonl, write_jsonl
from agentrefine_lib.tuning import encode
from agentrefine_lib.verify import Rejection
from agentrefine_lib.viewers import CheckpointSlider, CompareViewer, MaskView, PlayGround, RunMonitor, ScriptExplorer


def test_mask_counts_are_those_of_the_mask(trajectories, tiny):
    tokenizer = AutoTokenizer.from_pretrained(tiny)
    view = MaskView(trajectories[:3], {"tiny": tokenizer})
    view._record.value, view._unit.value, view._strategy.value = 1, "tiny", "no_refinement"
    example = encode(to_conversation(trajectories[1], "no_refinement"), tokenizer)
    trained = sum(label >= 0 for label in example.labels)
    assert view._page.body.count("<ins>") == trained
    assert f"<td>no_refinement</td><td>{trained}</td>" in view._counts.body


def test_a_mask_that_cannot_be_made_is_said(three_turns, tiny):
    odd = three_turns.turns[1].model_copy(update={"thought": "I say <|im_end|>."})
    turns = [three_turns.turns[0], odd, *three_turns.turns[2:]]
    view = MaskView([three_turns.model_copy(update={"turns": turns})], {"tiny": AutoTokenizer.from_pretrained(tiny)})
    view._unit.value = "tiny"
    assert "no faithful mask" in view._page.body
    assert "special token" in view._page.body


def test_the_task_that_differs_most_comes_first(tmp_path):
    lost = episode("wait", policy="theirs")
    lost = lost.model_copy(update={"success": False, "policy": ATTACK, "id": ATTACK})
    viewer = CompareViewer([episode("go"), lost])
    assert "they part here, at step 1" in viewer._pair.body
    assert "<script" not in viewer._pair.body + viewer._matrix.body
    viewer._matrix._handle_custom_msg({"picked": f"{ATTACK}|0"}, [])
    assert (viewer._a.value, viewer._b.value) == (ATTACK, "ours")
    with pytest.raises(ValueError, match="those of two policies"):
        CompareViewer([episode("go")])


def test_the_slider_shows_the_same_task_at_each_checkpoint():
    first, last = (episode(said, policy=name) for said, name in (("wait", "untuned"), ("go", "step-4")))
    elsewhere = Task(engine="babyai", name="GoToDoor", seed=2)
    others = [e.model_copy(update={"task": elsewhere, "goal": "Elsewhere."}) for e in (first, last)]
    slider = CheckpointSlider([first, last, *others])
    assert "untuned" in slider._page.body and "&gt; wait" in slider._page.body
    slider._slider.value = 1
    assert "step-4" in slider._page.body and "&gt; go" in slider._page.body
    told = slider._repr_mimebundle_()["text/html"]
    assert "<td>untuned</td>" in told and "&gt; go" in told
    slider._task.value = elsewhere.id
    assert "Elsewhere." in slider._page.body and "step-4" in slider._page.body
    with pytest.raises(ValueError, match="found none"):
        CheckpointSlider([])


def test_the_explorer_gives_the_verifiers_verdict_and_runs_codes_in_re2_only(three_turns):
    explorer = ScriptExplorer(three_turns)
    for action, said in [("take cup", "✓ accepted as"), ("take moon", "✗ parameter error"), ("fly", "✗ format error")]:
        explorer._action.value = action
        assert said in explorer._verdict.body
    evil = ActionSpec(verification_code=r"^(a+)+\1$", parameters={})  # re would run it for hours; RE2 refuses it
    actions = {"take {item}": evil}
    broken = ScriptExplorer(three_turns.script.model_copy(update={"available_actions": actions}))
    assert "the verifier rejects this" in broken._page.body
    broken._action.value = "a" * 40 + "!"
    assert "code of this script is broken" in broken._verdict.body


def test_a_trajectory_is_played_in_its_own_world(trajectories):
    async def replay() -> PlayGround:
        ground = PlayGround(trajectories[5])
        await ground.ready
        for turn in trajectories[5].turns:
            if turn.role == "Player":
                ground.action.value = turn.action
                await ground._act()
        ground.close()
        return ground

    ground = asyncio.run(replay())
    assert ground.episode.success
    wanted = [turn.is_error for turn in trajectories[5].turns[2::2]]
    assert [step.error is not None for step in ground.episode.steps] == wanted


def test_an_episode_is_forked_at_a_turn_and_a_policy_goes_on():
    task = Task(engine="embedded", name="places", seed=3)

    async def fork() -> list[PlayGround]:
        whole = PlayGround(task)
        await whole.ready
        await whole._go_on(30)
        forked = PlayGround(whole.episode, turn=2)
        await forked.ready
        return [whole, forked]

    async def check() -> None:
        whole, forked = await fork()
        steps = whole.episode.steps
        assert whole.episode.success and len(steps) > 3
        assert forked.episode.steps == steps[:2]
        forked.observation.value = "A wall."
        assert forked.episode.steps[1].observation == "A wall."
        await forked._go_on(30)
        assert forked.episode.success  # the engine knows nothing of the wall
        forked.turn.value = 1
        await asyncio.sleep(0)
        while len(forked.episode.steps) != 1 or forked.act.disabled:
            await asyncio.sleep(0.05)
        assert forked.episode.steps == steps[:1]
        for ground in (whole, forked):
            ground.close()

    asyncio.run(asyncio.wait_for(check(), 120))


def test_a_script_without_a_world_is_judged_by_its_rules(three_turns):
    async def act() -> PlayGround:
        ground = PlayGround(three_turns)
        await ground.ready
        ground.action.value = "take moon"
        await ground._act()
        ground.close()
        return ground

    assert not worlds_of([three_turns])[0]
    ground = asyncio.run(act())
    assert [step.error for step in ground.episode.steps] == ["parameter"]


def test_a_task_that_does_not_exist_is_said_and_not_raised():
    async def start() -> PlayGround:
        ground = PlayGround("embedded/no such world/1")
        await ground.ready
        ground.close()
        return ground

    assert "unknown world" in asyncio.run(start())._scene.body


def test_the_monitor_counts_whole_lines_once(trajectories, tmp_path):
    monitor = RunMonitor(tmp_path, total=5)
    assert "nothing at" in monitor._numbers.body
    write_jsonl(tmp_path / "trajectories.jsonl", trajectories[:2])
    told = {"id": "t", "persona": "", "seed": 0, "attempt": 0, "excerpt": ATTACK}
    write_jsonl(tmp_path / "rejections.jsonl", [Rejection(reason="goal_not_reached", turn=3, **told)])
    monitor.look()
    assert "2 of 5" in monitor._numbers.body
    assert (
        "goal_not_reached</td><td>1" in monitor._numbers.body and "1 record ·" in monitor._numbers.body
    )  # of no total
    assert "<script" not in monitor._last.body
    with open(tmp_path / "trajectories.jsonl", "a") as out:
        out.write(trajectories[2].to_json()[:100])
        out.flush()
        monitor.look()
        assert "2 of 5" in monitor._numbers.body
        out.write(trajectories[2].to_json()[100:] + "\n")
    monitor.look()
    assert "3 of 5" in monitor._numbers.body
    with open(tmp_path / "trajectories.jsonl", "a") as out:
        out.write('[]\n{"trajectory": 3}\n{\n')
    monitor.look()  # what is no record is counted and does not end the watch
    assert "✗ no record</td><td>2" in monitor._numbers.body
    assert len(list(read_jsonl(tmp_path / "rejections.jsonl", Rejection))) == 1  # the run's files are as they were
