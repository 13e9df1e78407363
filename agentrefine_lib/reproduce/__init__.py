"""The runner: notebooks × parameters → executed notebooks, figures and a manifest."""

from agentrefine_lib.reproduce.attempt import NotebookFailedError
from agentrefine_lib.reproduce.fingerprint import Fingerprint, State, Verdict, fingerprint, judge, library_files
from agentrefine_lib.reproduce.manifest import git_state, manifest, write_manifest
from agentrefine_lib.reproduce.parameters import Parameter
from agentrefine_lib.reproduce.profile import Notebook, Profile, ProfileError, load_profile
from agentrefine_lib.reproduce.runner import explain_plan, run, select
from agentrefine_lib.reproduce.workspace import repository, upstream, workspace

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
