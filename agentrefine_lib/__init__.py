"""The thin library behind the AgentRefine notebooks; each room is imported by its name."""

from typing import Any

__version__ = "0.1.0"
_FOR_VERIFIERS = ["Chat", "EngineEnv", "Panel"]


def __getattr__(name: str) -> Any:
    """What verifiers looks for in a package that it is told the name of: ``__all__``, and what it names. Nothing where
    verifiers is missing."""
    if name not in ("__all__", *_FOR_VERIFIERS):
        raise AttributeError(name)
    try:
        from agentrefine_lib.rollout import verifiers
    except ImportError as error:
        raise AttributeError(name) from error
    return _FOR_VERIFIERS if name == "__all__" else getattr(verifiers, name)
