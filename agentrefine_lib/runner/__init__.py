"""Notebooks × parameters → executed notebooks, figures and a manifest; and the small commands around that."""

from agentrefine_lib.runner.fingerprint import State, judge, library_files
from agentrefine_lib.runner.manifest import git_state
from agentrefine_lib.runner.profile import ProfileError, load_profile
from agentrefine_lib.runner.workspace import repository, upstream, workspace
