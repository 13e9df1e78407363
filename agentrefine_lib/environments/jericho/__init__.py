"""Jericho (interactive fiction, played by Frotz) as a text environment: twelve games of our own, or any story file."""

from agentrefine_lib.environments.jericho.environment import Jericho
from agentrefine_lib.environments.jericho.quest import GAMES

__all__ = ["GAMES", "Jericho"]
