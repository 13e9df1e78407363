"""Who acts in the benchmark environments."""

from agentrefine_lib.policies.local import LocalPolicy
from agentrefine_lib.policies.protocol import LiveEpisode, Policy
from agentrefine_lib.policies.scripted import ExpertPolicy, RandomPolicy

__all__ = ["ExpertPolicy", "LiveEpisode", "LocalPolicy", "Policy", "RandomPolicy"]
