"""Values that choose among names which a room knows, such as perturbations: refused before anything runs, and not by a
chapter hours later."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from agentrefine_lib.runner.parameters import Given

CHOICES = {  # parameter → the room's function that raises ValueError for what it does not know
    "models": "tuning.variants.plan",
    "base_model": "tuning.base.require_folder",
    "sets": "synthesis.sets.require_sets",
    "device": "policies.generation.pick_device",
    "case": "metrics.paired.require_pair",
    "perturbations": "environments.perturbations.require_perturbations",
    **dict.fromkeys(("panel", "expert_panel", "robust_panel", "mended_panel", "sampled_panel"), "environments.panel"),
}


def check_choices(values: Mapping[str, Any], given: Sequence[Given], problems: list[str]) -> None:
    """What the rooms refuse of values that have the right type becomes a problem where it stands."""
    places = {name: where for where, name, _ in given}
    for name in [name for name in CHOICES if name in values]:
        room, _, function = CHOICES[name].rpartition(".")
        try:
            getattr(import_module(f"agentrefine_lib.{room}"), function)(values[name])
        except ValueError as error:
            told = str(error).removeprefix(f"{name}: ")
            problems.append(f"{places[name]}: {name}: {told}")
