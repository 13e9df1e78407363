"""Who writes scripts and plays trajectories."""

from agentrefine_lib.teachers.embedded import (
    MECHANICS,
    EmbeddedTeacher,
    costume_of,
    embedded_persona,
    load_costumes,
    load_personas,
)
from agentrefine_lib.teachers.protocol import COMPLETED, Brief, Teacher

__all__ = [
    "COMPLETED",
    "MECHANICS",
    "Brief",
    "EmbeddedTeacher",
    "Teacher",
    "costume_of",
    "embedded_persona",
    "load_costumes",
    "load_personas",
]
