"""Parameters of which a room knows more than their type: refused before anything runs, not hours later.

Sections: which model checks which, and their fields as values of their own: ``recipe.lora_rank``. Choices: names that a
room knows, such as perturbations.
"""

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_jsonable_python

from agentrefine_lib.runner.parameters import Given, Parameter
from agentrefine_lib.schema import Section

SECTIONS = {  # parameter, a dictionary of fields that are set → the room's model that holds all of them, with defaults
    "synthesis": "synthesis.Synthesis",
    "teacher": "endpoint.EndpointSettings",
    "budget": "endpoint.Budget",
    "judge": "endpoint.EndpointSettings",
    "released": "dataset.Released",
    "recipe": "tuning.Recipe",
    "checks": "tuning.check.Checks",
    "prompts": "agent.Prompts",
    "decoding": "policies.Decoding",
    "limits": "rollout.Limits",
    "selection": "rollout.Selection",
    "endpoint": "policies.Served",
    "sampling": "policies.Samples",
    "general": "policies.General",
    "texts": "diversity.Texts",
}

CHOICES = {  # parameter → the room's function that raises ValueError for what it does not know
    "models": "tuning.variants.plan",
    "base_model": "tuning.base.require_folder",
    "sets": "synthesis.sets.require_sets",
    "device": "policies.generation.pick_device",
    "case": "metrics.paired.require_pair",
    "perturbations": "environments.perturbations.require_perturbations",
    **dict.fromkeys(("panel", "expert_panel", "robust_panel", "mended_panel", "sampled_panel"), "environments.panel"),
}


def section(name: str) -> type[Section]:
    """The model of a section; its room is imported, which may take seconds."""
    room, _, model = SECTIONS[name].rpartition(".")
    found: type[Section] = getattr(import_module(f"agentrefine_lib.{room}"), model)
    return found


def with_fields(declared: Mapping[str, Parameter]) -> dict[str, Parameter]:
    """The parameters with each section's fields in its place: ``recipe.learning_rate``."""
    flat = dict[str, Parameter]()
    for name, parameter in declared.items():
        if name not in SECTIONS:
            flat[name] = parameter
            continue
        for field, info in section(name).model_fields.items():
            default = None if info.is_required() else to_jsonable_python(info.get_default(call_default_factory=True))
            flat[f"{name}.{field}"] = Parameter(str(info.annotation), default, "", SECTIONS[name])
    return flat


def flattened(where: str, name: str, value: Any, lines: Mapping[str, str] = MappingProxyType({})) -> Iterator[Given]:
    """The value, or where the name is a section's one for each of its fields; ``lines``: where a field stands."""
    if name in SECTIONS and isinstance(value, dict):
        yield from (Given(lines.get(str(field), where), f"{name}.{field}", item) for field, item in value.items())
    else:
        yield Given(where, name, value)


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a notebook is handed: values by name, those of a section in one dictionary."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        part, dot, field = name.partition(".")
        if dot:
            found.setdefault(part, {})[field] = value
        else:
            found[name] = value
    return found


def check_sections(values: dict[str, Any], given: list[Given], problems: list[str]) -> dict[str, Any]:
    """The values, those of sections as their models read them; what these refuse becomes a problem where it stands."""
    places = {name: where for where, name, _ in given}
    read = dict(values)
    for name, fields in nested({name: value for name, value in values.items() if "." in name}).items():
        model = section(name)
        try:
            found = model.model_validate(fields).model_dump(mode="json", include=set(fields))
            read |= {f"{name}.{field}": value for field, value in found.items()}
        except ValidationError as error:
            for item in error.errors(include_url=False, include_context=False):
                at = ".".join([name, *map(str, item["loc"])])
                where = places.get(".".join(at.split(".")[:2])) or places[f"{name}.{next(iter(fields))}"]
                hidden = model.model_config.get("hide_input_in_errors") or item["type"] == "missing"
                told = "" if hidden else f"found {item['input']!r}, expected: "
                problems.append(f"{where}: {at}: {told}{item['msg']}")
    return read


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
