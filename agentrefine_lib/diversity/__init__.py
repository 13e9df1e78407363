"""How diverse texts are: thoughts and environments as vectors, maps of them, and scores with intervals."""

from agentrefine_lib.diversity.embedding import Texts, embed, project
from agentrefine_lib.diversity.likeness import engine_vocabularies, likeness, most_alike
from agentrefine_lib.diversity.scores import distinct, half_samples, nearest, self_bleu, similarity, skeletons, vendi
from agentrefine_lib.diversity.tables import (
    further_away,
    measured,
    more_diverse,
    of_instructions,
    similarities,
    thoughts,
    with_nearest,
)
from agentrefine_lib.diversity.texts import task_instructions, training_instructions, training_thoughts
