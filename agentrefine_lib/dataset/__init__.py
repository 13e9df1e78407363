"""Training data: trajectories as conversations with a loss flag per reply, files, statistics, cards and exports."""

from agentrefine_lib.dataset.card import write_card
from agentrefine_lib.dataset.convert import STRATEGIES, from_episode, from_episodes, instruction, to_conversation
from agentrefine_lib.dataset.exports import EXPORTS
from agentrefine_lib.dataset.files import read_conversations, to_datasets, write_conversations
from agentrefine_lib.dataset.general import GENERAL, instructions, mixed, rehearsal
from agentrefine_lib.dataset.published import Published, Released, read_published
from agentrefine_lib.dataset.sets import held_in_sets, interleave, same_plays, won_by_engine
from agentrefine_lib.dataset.statistics import error_positions, error_runs, statistics
