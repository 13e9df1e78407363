"""The embedded teacher: worlds, grammars and plays drawn by a program, no network and no key."""

from agentrefine_lib.teachers.embedded.personas import domain_of, embedded_persona, load_domains, load_personas
from agentrefine_lib.teachers.embedded.teacher import EmbeddedTeacher

__all__ = ["EmbeddedTeacher", "domain_of", "embedded_persona", "load_domains", "load_personas"]
