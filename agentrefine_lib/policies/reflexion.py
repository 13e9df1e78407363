"""Reflexion (Shinn et al. 2023, arXiv 2303.11366) around any policy: several tries, and a note in words after each.

A try is over when the engine ends it, after ``try_steps`` steps, or when the same action has brought the same answer
STUCK times in a row. The policy is then asked, in its own chat, what went wrong; its thought is the note. The task
begins anew, and the prompt tells the last NOTES notes. The policy is never told more than that a try has failed.
"""

import asyncio
from dataclasses import dataclass, field
from textwrap import shorten
from weakref import WeakKeyDictionary

from agentrefine_lib.policies.protocol import LiveEpisode, Policy
from agentrefine_lib.schema import Step, parse_reply

NOTES, STUCK = 3, 3  # as in the authors' code for AlfWorld
NOTE_CHARACTERS = 600
ASK = (
    "This try has failed. In your thought, say in a few sentences what went wrong and what you will do differently in "
    "the next try; as the action, repeat your last one."
)


@dataclass
class _Try:
    """Where an episode is: which try, its first step, the notes so far, and what the policy inside gets to see."""

    seen: LiveEpisode
    number: int = 1
    begun: int = 0
    notes: list[str] = field(default_factory=list)


class Reflexion:
    """``policy``, the one inside, may answer in batches; ``tries`` per episode, ``try_steps`` steps each.

    An episode's steps are those of all its tries, its success and progress those of the last one; the rollout's own
    step limit should be at least ``tries * try_steps``.
    """

    def __init__(self, policy: Policy, *, tries: int = 3, try_steps: int = 30) -> None:
        self._policy, self.tries, self._try_steps = policy, tries, try_steps
        self.name, self.batch_size, self.limit = policy.name, policy.batch_size, getattr(policy, "limit", None)
        self._at: WeakKeyDictionary[LiveEpisode, _Try] = WeakKeyDictionary()

    async def act(self, episodes: list[LiveEpisode]) -> list[str]:
        for episode in episodes:
            if episode not in self._at:
                self._at[episode] = _Try(LiveEpisode(episode.task, episode.engine, episode.opening))
            at = self._at[episode]
            at.seen.steps = episode.steps[at.begun :]
        over = [episode for episode in episodes if self._is_over(episode)]
        for episode in over:
            episode.stopped = self._at[episode].number == self.tries
        await self._begin_again([episode for episode in over if not episode.stopped])
        replies = await self._ask([episode for episode in episodes if not episode.stopped])
        return [replies.get(episode, "") for episode in episodes]

    def _is_over(self, episode: LiveEpisode) -> bool:
        steps = self._at[episode].seen.steps
        last = {(step.action, step.observation) for step in steps[-STUCK:]}
        stuck = len(steps) >= STUCK and len(last) == 1
        return bool(steps) and (episode.done or stuck or len(steps) >= self._try_steps)

    async def _begin_again(self, episodes: list[LiveEpisode]) -> None:
        """Take a note of each, and start its task anew. Raises what an engine raises, once all others have begun."""
        for episode in episodes:
            steps = self._at[episode].seen.steps
            self._at[episode].seen.steps = [*steps[:-1], _and_asked(steps[-1])]
        said = await self._ask(episodes)
        started = await asyncio.gather(*(e.engine.start(e.task) for e in episodes), return_exceptions=True)
        for episode, opening in zip(episodes, started, strict=True):
            if not isinstance(opening, BaseException):
                at = self._at[episode]
                note = parse_reply(said[episode]).thought or said[episode]
                at.notes.append(shorten(note, NOTE_CHARACTERS, placeholder=" …"))
                told = "\n".join(["What you noted after earlier tries:", *(f"- {text}" for text in at.notes[-NOTES:])])
                at.seen.opening = opening._replace(rules="\n\n".join(filter(None, (opening.rules, told))))
                at.seen.steps, at.seen.dropped = [], 0
                at.number, at.begun, episode.done = at.number + 1, len(episode.steps), False
        for opening in started:
            if isinstance(opening, BaseException):
                raise opening

    async def _ask(self, episodes: list[LiveEpisode]) -> dict[LiveEpisode, str]:
        """The replies of the policy inside; how they ended is told of the episodes themselves."""
        if not episodes:
            return {}
        seen = [self._at[episode].seen for episode in episodes]
        replies = dict(zip(episodes, await self._policy.act(seen), strict=True))
        for episode, shown in zip(episodes, seen, strict=True):
            episode.ending, episode.dropped, shown.ending = shown.ending, shown.dropped, None
        return replies


def _and_asked(step: Step) -> Step:
    return step.model_copy(update={"observation": f"{step.observation}\n\n{ASK}"})
