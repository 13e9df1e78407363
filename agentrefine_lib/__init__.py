"""The thin library behind the AgentRefine notebooks; each room is imported by its name."""

__version__ = "0.1.0"
