"""PDDL planning domains as a text environment: four generated ones, and any STRIPS files."""

from agentrefine_lib.environments.pddl.environment import Pddl, benchmark_tasks
from agentrefine_lib.environments.pddl.problems import DOMAINS

__all__ = ["DOMAINS", "Pddl", "benchmark_tasks"]
