"""Notebooks × parameters → executed notebooks, figures and a manifest; and the small commands around that."""

from agentrefine_lib.runner.attempt import NotebookFailedError
from agentrefine_lib.runner.chapters import explain_plan, run, select
from agentrefine_lib.runner.fingerprint import Fingerprint, State, Verdict, fingerprint, judge, library_files
from agentrefine_lib.runner.manifest import git_state, manifest, write_manifest
from agentrefine_lib.runner.parameters import Parameter
from agentrefine_lib.runner.profile import Notebook, Profile, ProfileError, load_profile
from agentrefine_lib.runner.workspace import repository, upstream, workspace

__all__ = [
    "Fingerprint",
    "Notebook",
    "NotebookFailedError",
    "Parameter",
    "Profile",
    "ProfileError",
    "State",
    "Verdict",
    "explain_plan",
    "fingerprint",
    "git_state",
    "judge",
    "library_files",
    "load_profile",
    "manifest",
    "repository",
    "run",
    "select",
    "upstream",
    "workspace",
    "write_manifest",
]
