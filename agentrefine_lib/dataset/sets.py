"""Training sets side by side: as many plays in each, and where they can be, the same ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, islice, zip_longest

from agentrefine_lib.schema import Conversation


def same_plays(sets: Mapping[str, Sequence[Conversation]]) -> dict[str, list[Conversation]]:
    """Of every set the plays whose ids all of them have; what one of them gave up is left out of all."""
    shared = set[str].intersection(*({row.id for row in rows} for rows in sets.values()))
    return {name: [row for row in rows if row.id in shared] for name, rows in sets.items()}


def interleave(groups: Sequence[Sequence[Conversation]], count: int) -> list[Conversation]:
    """The first ``count`` of several groups, one of each in turn; where a group ends the others go on."""
    dealt = chain.from_iterable(zip_longest(*groups))
    return list(islice((row for row in dealt if row is not None), count))
