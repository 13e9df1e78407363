"""An earlier model's own errors, mended by the expert (DAgger, arXiv 1011.0686)."""

import asyncio
import random
from collections.abc import Iterable, Mapping
from itertools import takewhile

from agentrefine_lib.policies.protocol import LiveEpisode, Policy
from agentrefine_lib.policies.scripted import ExpertPolicy
from agentrefine_lib.schema import ACTION_LINE, parse_reply

IN_A_ROW = 6  # refused actions of the model before the expert goes on, at most
AGAIN = 0.5  # how often the model is asked once more after a refusal


class Corrected:
    """The expert plays, and a model takes its turn now and then: what the engine refuses of the model's stays.

    ``turns``: task id → the expert's moves before which the model is asked (0: the first). A reply that the engine
    would accept is not played, and the model is asked again before the expert's next move. So whatever is accepted was
    the expert's, every state is one of the expert's, and a step with an error is the model's own at that state.
    """

    def __init__(self, model: Policy, turns: Mapping[str, Iterable[int]]) -> None:
        self.name, self.batch_size = "learner", model.batch_size
        self.limit = getattr(model, "limit", None)
        self._model, self._expert = model, ExpertPolicy()
        self._turns = {task: sorted(moves) for task, moves in turns.items()}

    async def act(self, episodes: list[LiveEpisode]) -> list[str]:
        asked = [episode for episode in episodes if self._is_asked(episode)]
        said = await self._model.act(asked) if asked else []
        wrong = await asyncio.gather(*map(_is_refused, asked, said))
        replies = {episode: text for episode, text, kept in zip(asked, said, wrong, strict=True) if kept}
        others = [episode for episode in episodes if episode not in replies]
        for episode in others:
            episode.ending = None  # of a reply that is not played
        replies |= dict(zip(others, await self._expert.act(others), strict=True))
        return [replies[episode] for episode in episodes]

    def _is_asked(self, episode: LiveEpisode) -> bool:
        refused = [step.error is not None for step in episode.steps]
        run = sum(1 for _ in takewhile(bool, reversed(refused)))
        if run:
            rng = random.Random(f"again {episode.task.id} {len(refused)}")
            return run < IN_A_ROW and rng.random() < AGAIN
        runs = sum(wrong and not before for before, wrong in zip([False, *refused], refused, strict=False))
        due = sum(move <= refused.count(False) for move in self._turns[episode.task.id])
        return runs < due


async def _is_refused(episode: LiveEpisode, text: str) -> bool:
    """Whether the engine would refuse a reply that can be written down as an error. In doubt it would not."""
    read = parse_reply(text)
    if not read.action or ACTION_LINE.search(read.thought) or "check" in read.action.lower():  # that asks for a list
        return False
    return _plain(read.action) not in set(map(_plain, await episode.engine.valid_actions()))


def _plain(action: str) -> str:
    """An action without what engines overlook: case, blanks, a full stop, brackets around it."""
    return " ".join(action.lower().split()).strip("<>. ")
