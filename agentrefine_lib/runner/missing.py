"""Engines that cannot be played here: told before anything runs, with what takes their place."""

import textwrap
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from agentrefine_lib.runner.profile import Notebook, Profile, ProfileError

PANEL = "dict[str, dict[str, list[int]]]"  # the type of parameters that name tasks: engine → task name → seeds


def missing_engines(notebooks: Sequence[Notebook]) -> dict[str, str]:
    """Engine → why it cannot be played here and how to get it, of those that the notebooks' panels name.

    Raises ProfileError for a name that is no engine's.
    """
    named = {engine: name for notebook in notebooks for name, panel in panels(notebook) for engine in panel}
    if not named:
        return {}
    from agentrefine_lib.environments import missing  # seconds, wanted only here

    found, unknown = dict[str, str](), list[str]()
    for engine, name in named.items():
        try:
            found |= missing([engine])
        except ValueError as error:
            unknown.append(f"{name}: {error}")
    if unknown:
        raise ProfileError(unknown)
    return found


def panels(notebook: Notebook) -> Iterator[tuple[str, dict[str, Any]]]:
    """The notebook's parameters that name tasks, and their values; not those that a section demands and nobody set."""
    values = notebook.given | notebook.defaulted
    for name, parameter in notebook.declared.items():
        if parameter.annotation == PANEL and values[name] is not None:
            yield name, values[name]


def tell(before: Profile, profile: Profile, missing: Mapping[str, str]) -> None:
    """Print what drops out and which values took another one's place, ``before`` being the profile as it is written."""
    for reason in missing.values():
        print(f"left out: {reason}", flush=True)
    old, new = ({k: v for n in p.notebooks for k, v in n.given.items()} for p in (before, profile))
    for name in sorted(name for name, value in new.items() if old.get(name) != value):
        value = textwrap.shorten(str(new[name]), 90, placeholder=" …")
        print(f"    instead, by params/{profile.name}.yaml: {name}: {value}", flush=True)


def refuse_empty(notebooks: Sequence[Notebook], missing: Mapping[str, str]) -> None:
    """Raise ProfileError where a panel has tasks, but none that can be played here."""
    problems = {
        f"{name}: nothing of it can be played here: {'; '.join(missing[engine] for engine in panel)}; "
        f"or give other tasks, as in -p '{name}={{babyai: {{PickupLoc: [1234]}}}}'"
        for notebook in notebooks
        for name, panel in panels(notebook)
        if panel and all(engine in missing for engine in panel)
    }
    if problems:
        raise ProfileError(sorted(problems))


def prune(profile: Profile, missing: Container[str]) -> Profile:
    """The profile with panels of what can be played: once an engine is there, what was made without it is stale."""
    pruned = []
    for notebook in profile.notebooks:
        kept = {
            name: {engine: tasks for engine, tasks in panel.items() if engine not in missing}
            for name, panel in panels(notebook)
            if any(engine in missing for engine in panel)
        }
        pruned.append(replace(notebook, given=notebook.given | kept))
    return replace(profile, notebooks=pruned)
