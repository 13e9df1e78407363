"""BabyAI (the MiniGrid engine) as a text environment under AgentBoard's rules."""

from agentrefine_lib.environments.babyai.environment import LEVELS, BabyAI

__all__ = ["LEVELS", "BabyAI"]
