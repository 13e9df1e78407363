"""The thin library behind the AgentRefine notebooks; each room is imported by its name."""

from typing import Any

__version__ = "0.1.0"
__all__ = ["Chat", "EngineEnv", "Panel"]  # what verifiers looks for in a package that it is told the name of


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(name)
    from agentrefine_lib.rollout import verifiers

    return getattr(verifiers, name)
