"""Who writes scripts and plays trajectories."""

from agentrefine_lib.teachers.embedded import (
    MECHANICS,
    EmbeddedTeacher,
    costume_of,
    embedded_persona,
    load_costumes,
    load_personas,
)
from agentrefine_lib.teachers.protocol import Brief, Teacher
