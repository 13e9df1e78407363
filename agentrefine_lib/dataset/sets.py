"""Training sets side by side: as many plays in each, and where they can be, the same ones."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice, zip_longest

from agentrefine_lib.dataset.convert import from_episodes
from agentrefine_lib.schema import Conversation, Episode


def same_plays(sets: Mapping[str, Sequence[Conversation]]) -> dict[str, list[Conversation]]:
    """Of every set the plays whose ids all of them have; what one of them gave up is left out of all."""
    shared = set[str].intersection(*({row.id for row in rows} for rows in sets.values()))
    return {name: [row for row in rows if row.id in shared] for name, rows in sets.items()}


def won_by_engine(episodes: Iterable[Episode], engines: Iterable[str]) -> dict[str, list[Episode]]:
    """The episodes that were won, in order of their ids, of each of the engines."""
    won: dict[str, list[Episode]] = {engine: [] for engine in engines}
    for episode in sorted(episodes, key=lambda e: e.id):
        if episode.success and episode.task.engine in won:
            won[episode.task.engine].append(episode)
    return won


def held_in_sets(
    won: Mapping[str, Sequence[Episode]], held_in: Mapping[str, Sequence[str]], most: int
) -> dict[str, list[Conversation]]:
    """The expert's training sets (``held_in``: name → engines), each of its engines in turn; all of one size."""
    shown = {engine: from_episodes(episodes) for engine, episodes in won.items()}
    count = min([most, *(sum(len(won[engine]) for engine in engines) for engines in held_in.values())])
    return {name: interleave([shown[engine] for engine in engines], count) for name, engines in held_in.items()}


def interleave(groups: Sequence[Sequence[Conversation]], count: int) -> list[Conversation]:
    """The first ``count`` of several groups, one of each in turn; where a group ends the others go on."""
    dealt = chain.from_iterable(zip_longest(*groups))
    return list(islice((row for row in dealt if row is not None), count))
