"""AlfWorld: household tasks in text, in generated games or in ALFWorld's official ones."""

from agentrefine_lib.environments.alfworld.environment import AlfWorld
from agentrefine_lib.environments.alfworld.games import TASK_TYPES, TRAINING_SEEDS
from agentrefine_lib.environments.alfworld.official import official_tasks

__all__ = ["TASK_TYPES", "TRAINING_SEEDS", "AlfWorld", "official_tasks"]
