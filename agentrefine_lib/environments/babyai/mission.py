"""What the engine's mission asks for, and how much of it is met: the instruction tree read as clauses and subgoals."""

from collections.abc import Iterator
from typing import Any

from minigrid.envs.babyai.core.verifier import ActionInstr, AfterInstr, AndInstr, GoToInstr, SeqInstr

from agentrefine_lib.environments.babyai.view import View, absolute


def clauses(instruction: Any, done: bool = False) -> Iterator[tuple[Any, bool]]:
    """The atomic instructions of a mission, left to right, each with the engine's word on whether it is done."""
    if isinstance(instruction, ActionInstr):
        yield instruction, done
    else:
        yield from clauses(instruction.instr_a, done or instruction.a_done == "success")
        yield from clauses(instruction.instr_b, done or instruction.b_done == "success")


def orders(instruction: Any) -> list[list[Any]]:
    """The clauses still to be done, in every order that the mission allows."""
    if isinstance(instruction, ActionInstr):
        return [[instruction]]
    first = [[]] if instruction.a_done == "success" else orders(instruction.instr_a)
    second = [[]] if instruction.b_done == "success" else orders(instruction.instr_b)
    forward = [a + b for a in first for b in second]
    backward = [b + a for a in first for b in second]
    if isinstance(instruction, AndInstr):
        return forward + backward
    return backward if isinstance(instruction, AfterInstr) else forward


def subgoals(engine: Any, view: View) -> list[bool]:
    """For each clause: target in view or in hand, target faced or in hand (where going there is not all), done."""
    held = engine.carrying
    seen = [engine.grid.get(*absolute(engine, thing.cell)) for thing in view.things] + [held]
    faced = [engine.grid.get(*engine.front_pos), held]
    found = []
    for clause, done in clauses(engine.instrs):
        targets = (clause.desc_move if hasattr(clause, "desc_move") else clause.desc).obj_set
        found.append(any(thing is target for thing in seen for target in targets))
        if not isinstance(clause, GoToInstr):
            found.append(any(thing is target for thing in faced for target in targets))
        found.append(done)
    return found


def move(engine: Any, action: int) -> tuple[bool, float]:
    """One engine action. Returns (episode over, reward), with one verdict of the engine set right.

    When a move completes the first clause of "A, then B" or "B after you A", the engine shows the same move to the
    other clause; a strict one (OpenDoors…Debug) then fails for a door that it was right to open, so that these missions
    could never succeed. Such a verdict is passed over, as AgentBoard does with every failure.
    """
    before = _first_clause_done(engine.instrs)
    _, reward, over, _, _ = engine.step(action)
    if over and reward <= 0 and _first_clause_done(engine.instrs) and not before:
        over = False
    return over, float(reward)


def _first_clause_done(instruction: Any) -> bool:
    if not isinstance(instruction, SeqInstr):
        return False
    return bool((instruction.b_done if isinstance(instruction, AfterInstr) else instruction.a_done) == "success")
