"""The expert: the quest's walkthrough, rehearsed from the current state before it is followed.

It copes with most of what somebody else may have done: steps that are no longer possible are left out, the walkthrough
may begin at any of its steps, and the way to the place of that step is found on foot. It gives up where a thing that
the walkthrough needs lies somewhere else.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from agentrefine_lib.environments.jericho.actions import DIRECTIONS
from agentrefine_lib.environments.jericho.quest import Quest
from agentrefine_lib.environments.jericho.story import Story

Plan = list[tuple[str, str]]  # (thought, action)


def find_plan(story: Story, quest: Quest) -> Plan:
    """Steps that win from the current state, or none. The state is kept."""
    start = story.save()
    walks = list(quest.walks())
    for route, state in _routes(story):
        tried = set()
        for first in range(max(map(len, walks))):
            for walk in walks:
                rest = tuple(walk[first:])
                if not rest or rest in tried:
                    continue
                tried.add(rest)
                story.restore(state)
                if plan := _rehearse(story, rest):
                    story.restore(start)
                    return [(f"I still have work elsewhere, so I go {way}.", f"go {way}") for way in route] + plan
    story.restore(start)
    return []


def _rehearse(story: Story, walk: Sequence[tuple[str, str]]) -> Plan:
    """Play a walk; the steps that were accepted if it wins, otherwise none."""
    plan: Plan = []
    for action, thought in walk:
        reply = story.send(action)
        if reply.error is None:
            plan.append((thought, action))
        elif not plan:
            return []  # the walk without this step is tried by itself
        if reply.ending:
            return plan if reply.won else []
    return []


def _routes(story: Story) -> Iterator[tuple[list[str], Any]]:
    """The ways on foot from here to each room, nearest first, with the state on arrival."""
    rooms = {story.room}
    queue: list[tuple[list[str], Any]] = [([], story.save())]
    for route, state in queue:  # grows while it is walked
        yield route, state
        for direction in DIRECTIONS:
            story.restore(state)
            reply = story.send(f"go {direction}")
            if reply.error is None and not reply.ending and reply.room not in rooms:
                rooms.add(reply.room)
                queue.append(([*route, direction], story.save()))
