"""ScienceWorld (the original Scala engine in a JVM) as a text environment."""

from agentrefine_lib.environments.scienceworld.environment import ScienceWorld

__all__ = ["ScienceWorld"]
