"""On-policy errors (DAgger, arXiv 1011.0686): a model's own refused actions in the teacher's worlds, mended there.

``policies.Corrected`` lets an earlier model play until it is refused, and the expert go on from there; what came of it
is written here as a trajectory like any other. The model's actions carry their flags, so their loss is masked; every
action without a flag is the expert's.
"""

import random
from collections.abc import Iterable

from agentrefine_lib.schema import DMTurn, PlayerTurn, Step, Trajectory, Turn
from agentrefine_lib.teachers.embedded.errors import FLAG_OF
from agentrefine_lib.teachers.embedded.game import KIND, KINDS, PLAIN, Game, GameSpec, draw_game
from agentrefine_lib.teachers.embedded.grammar import FORMS
from agentrefine_lib.teachers.embedded.mechanics import MECHANICS
from agentrefine_lib.teachers.embedded.names import load_costumes, load_words
from agentrefine_lib.teachers.protocol import Brief


def spec_behind(trajectory: Trajectory) -> GameSpec | None:
    """What the embedded teacher drew the world of a trajectory from; None for another teacher's."""
    mechanic, costume, form, *flags = [*str(trajectory.script.environment.get(KIND)).split("-"), "", ""]
    if mechanic not in MECHANICS or costume not in load_costumes() or form not in FORMS:
        return None
    key = Brief(trajectory.persona, trajectory.seed).world_key
    spec = GameSpec(key, mechanic, costume, form, trajectory.script.example != "", PLAIN in flags, KINDS in flags)
    return spec if draw_game(spec).script == trajectory.script else None


def game_behind(trajectory: Trajectory) -> Game:
    """The game of a trajectory, as at its start. Raises ValueError where the world is not the embedded teacher's."""
    spec = spec_behind(trajectory)
    if spec is None:
        raise ValueError(f"{trajectory.id}: its world is not the embedded teacher's, so it cannot be continued")
    return draw_game(spec)


def as_played(trajectory: Trajectory, steps: Iterable[Step], teacher: str) -> Trajectory:
    """The trajectory's world with another play in it: each step is judged again, and flagged as the world says.

    Raises ValueError where the world is not the embedded teacher's, or answers otherwise than the steps say.
    """
    game, judging = game_behind(trajectory), load_words("rendering")["judging"]
    rng = random.Random(f"judging {trajectory.seed} {trajectory.persona}")
    turns: list[Turn] = [DMTurn(turn=0, thought=rng.choice(judging["begin"]), observation=game.observation)]
    for step in steps:
        action = game.spelt(step.action)
        answer = game.answer(action)
        if answer.observation != step.observation:
            raise ValueError(f"{trajectory.id}: {step.action!r} is answered otherwise than in the steps given")
        refusal = answer.verdict.refusal
        thought = rng.choice(judging["refuse" if refusal else "done" if game.done else "accept"])
        told = thought.format(game.speech.rendering.clause(refusal.fact)) if refusal else thought
        turns.append(PlayerTurn(turn=len(turns), thought=step.thought, action=step.action if refusal else action))
        judged = DMTurn(turn=len(turns), thought=told, observation=step.observation)
        turns.append(judged.model_copy(update={FLAG_OF[refusal.kind]: True}) if refusal else judged)
    return trajectory.model_copy(update={"turns": turns, "teacher": teacher})
