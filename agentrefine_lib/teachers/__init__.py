"""Who writes scripts and plays trajectories."""

from agentrefine_lib.teachers.embedded import EmbeddedTeacher, domain_of, embedded_persona, load_domains, load_personas
from agentrefine_lib.teachers.protocol import COMPLETED, Brief, Teacher

__all__ = [
    "COMPLETED",
    "Brief",
    "EmbeddedTeacher",
    "Teacher",
    "domain_of",
    "embedded_persona",
    "load_domains",
    "load_personas",
]
