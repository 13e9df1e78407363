"""How diverse texts are: thoughts and environments as vectors, maps of them, and scores with intervals."""

from agentrefine_lib.diversity.embedding import embed, project
from agentrefine_lib.diversity.scores import distinct, nearest, over_halves, self_bleu, vendi
from agentrefine_lib.diversity.texts import environments_told, tests_told, thoughts_played, thoughts_taught

__all__ = [
    "distinct",
    "embed",
    "environments_told",
    "nearest",
    "over_halves",
    "project",
    "self_bleu",
    "tests_told",
    "thoughts_played",
    "thoughts_taught",
    "vendi",
]
