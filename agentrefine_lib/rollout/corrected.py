"""The training set of on-policy errors: an earlier model errs in the worlds of a set, and the expert mends it."""

import random
from collections.abc import Sequence
from pathlib import Path

from agentrefine_lib.environments.embedded import worlds_of
from agentrefine_lib.policies import Corrected, Policy
from agentrefine_lib.rollout.loop import Limits, roll_out
from agentrefine_lib.schema import Episode, Trajectory, read_jsonl, write_jsonl
from agentrefine_lib.teachers.embedded.teacher import draw_positions
from agentrefine_lib.teachers.learner import as_played, game_behind
from agentrefine_lib.verify import MIN_REFINEMENTS, check_refinements, check_turns

LONGEST = 80  # steps: twenty moves of the expert, and six errors of up to six replies


async def roll_out_corrected(
    model: Policy, trajectories: Sequence[Trajectory], folder: Path, errors: tuple[int, int] = (2, 6)
) -> Path:
    """Play the world of every trajectory again with the model's errors in it; returns ``folder/trajectories.jsonl``.

    ``errors``: how many a play is meant to hold, least and most, at moves drawn as the teacher draws its own. Every
    play passes the verifier; where the model was refused less than twice, the trajectory given stands in its place, so
    that the set has the same worlds. Episodes are kept in ``folder/episodes.jsonl``, and a killed run continues. Raises
    ValueError for a trajectory of another teacher than the embedded one.
    """
    moves = {
        trajectory.id: draw_positions(
            random.Random(f"learner {trajectory.seed} {trajectory.persona}"), game_behind(trajectory).moves, *errors
        )
        for trajectory in trajectories
    }
    tasks, make = worlds_of(trajectories)
    policy = Corrected(model, {tasks[name].id: drawn for name, drawn in moves.items()})
    path = await roll_out(policy, list(tasks.values()), folder / "episodes.jsonl", Limits(steps=LONGEST), make)
    played = {episode.task.id: episode for episode in read_jsonl(path, Episode)}
    kept = []
    for trajectory in trajectories:
        own = as_played(trajectory, played[tasks[trajectory.id].id].steps, policy.name)
        fit = check_turns(own.script, own.turns) is None and check_refinements(own.turns, MIN_REFINEMENTS) is None
        kept.append(own if fit else trajectory)
    write_jsonl(folder / "trajectories.jsonl", kept)
    return folder / "trajectories.jsonl"
