"""The embedded teacher: worlds, grammars and plays drawn by a program, no network and no key."""

from agentrefine_lib.teachers.embedded.mechanics import MECHANICS
from agentrefine_lib.teachers.embedded.names import load_costumes
from agentrefine_lib.teachers.embedded.personas import costume_of, embedded_persona, load_personas
from agentrefine_lib.teachers.embedded.teacher import EmbeddedTeacher
