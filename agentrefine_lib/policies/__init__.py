"""Who acts in the benchmark environments."""

from typing import TYPE_CHECKING, Any

from agentrefine_lib.policies.corrected import Corrected
from agentrefine_lib.policies.endpoint_policy import EndpointPolicy, Served
from agentrefine_lib.policies.generation import Decoding, Samples, Sampling
from agentrefine_lib.policies.local import LocalPolicy
from agentrefine_lib.policies.models import Models
from agentrefine_lib.policies.protocol import LiveEpisode, Policy
from agentrefine_lib.policies.reflexion import Reflexion
from agentrefine_lib.policies.scripted import AfterMistake, ExpertPolicy, RandomPolicy

if TYPE_CHECKING:
    from agentrefine_lib.policies.human import HumanPolicy

__all__ = [
    "AfterMistake",
    "Corrected",
    "Decoding",
    "EndpointPolicy",
    "ExpertPolicy",
    "HumanPolicy",
    "LiveEpisode",
    "LocalPolicy",
    "Models",
    "Policy",
    "RandomPolicy",
    "Reflexion",
    "Samples",
    "Sampling",
    "Served",
]


def __getattr__(name: str) -> Any:
    if name == "HumanPolicy":  # widgets, which a node without Jupyter does not have
        from agentrefine_lib.policies.human import HumanPolicy

        return HumanPolicy
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
