"""The endpoint teacher: a language model behind an OpenAI-compatible URL, asked for the paper's JSON."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import JsonValue, TypeAdapter

from agentrefine_lib.endpoint import EmptyAnswerError, Endpoint, seed_of
from agentrefine_lib.schema import SUCCEEDED, DMTurn, Ending, PlayerTurn, Record, Script, Turn
from agentrefine_lib.teachers.protocol import Brief
from agentrefine_lib.teachers.recovery import recover_json

_PROMPTS = Environment(  # plain text, so nothing is escaped
    loader=FileSystemLoader(Path(__file__).with_name("prompts")), undefined=StrictUndefined, trim_blocks=True
)
EXAMPLES = json.loads(Path(__file__).with_name("prompts").joinpath("examples.json").read_text(encoding="utf-8"))
_PROMPTS.globals["examples"] = {  # three scripts and a play of the first, as text
    "scripts": [json.dumps(script, ensure_ascii=False) for script in EXAMPLES["scripts"]],
    "play": json.dumps(EXAMPLES["play"], ensure_ascii=False),
}
_TURNS: TypeAdapter[list[Turn]] = TypeAdapter(list[Turn])


class _Play(Record):
    """What ``play`` asks for. Some servers take an object only, and some know ``anyOf`` but no discriminator."""

    turns: list[PlayerTurn | DMTurn]


def _contract(model: type[Record]) -> dict[str, Any]:
    """A model's JSON schema with every key required: a model that may leave out a flag does."""
    schema = model.model_json_schema(by_alias=True)
    for part in (schema, *schema.get("$defs", {}).values()):
        if "properties" in part:
            part["required"] = list(part["properties"])
    return schema


SCRIPT_SCHEMA = _contract(Script)  # without what a model is not asked for
for _ours in ("Rules", "Example"):
    del SCRIPT_SCHEMA["properties"][_ours]
    SCRIPT_SCHEMA["required"].remove(_ours)
PLAY_SCHEMA = _contract(_Play)


class EndpointTeacher:
    """Asks an endpoint, which the caller has opened. Errors of the endpoint go through to the caller, but that a model
    has nothing to say to a prompt is no answer to it. ``endings`` says how the last answer to each brief ended.

    Every request carries a seed that is a hash of the brief, the length of the prefix and how often that same prefix
    was asked for since the brief's script was: the same run sends the same requests, and no request twice, so that
    neither a recording nor a server with a cache gives the same bad answer again.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.name = endpoint.settings.model
        self._asked: dict[Brief, Counter[int]] = {}  # brief → hash of the prefix → times
        self.endings: dict[Brief, Ending] = {}  # with the above a kilobyte for each: some 64 MB for the paper's 64,000

    def domain(self, brief: Brief) -> str:
        return ""  # a model is not asked for it

    async def write_script(self, brief: Brief) -> JsonValue:
        """The script in the model's answer. None, which is no script, when it has no JSON or was cut off."""
        self._asked.pop(brief, None)
        prompt = _PROMPTS.get_template("script.jinja").render(brief=brief, persona=_one_line(brief.persona))
        answer = await self._ask(brief, prompt, seed_of(*brief), SCRIPT_SCHEMA)
        return _script_in(recover_json(answer, partial=False))

    async def play(self, brief: Brief, script: Script, prefix: list[Turn]) -> JsonValue:
        """The turns in the model's answer; of one that was cut off, those that are whole. None when there are none."""
        turns = _TURNS.dump_json(prefix, by_alias=True).decode()
        number = prefix[-1].turn + 1 if prefix else 0
        prompt = _PROMPTS.get_template("play.jinja").render(
            brief=brief,
            persona=_one_line(brief.persona),
            script=script.to_json(),
            turns=turns,
            number=number,
            role="Player" if prefix and prefix[-1].role == "DM" else "DM",
            completed=SUCCEEDED,
        )
        seed = seed_of(*brief, len(prefix), self._times_asked(brief, turns))
        return _turns_in(recover_json(await self._ask(brief, prompt, seed, PLAY_SCHEMA)))

    def _times_asked(self, brief: Brief, turns: str) -> int:
        """How often this was called for the brief and the prefix before."""
        asked = self._asked.setdefault(brief, Counter())
        asked[hash(turns)] += 1
        return asked[hash(turns)] - 1

    async def _ask(self, brief: Brief, prompt: str, seed: int, schema: dict[str, Any]) -> str:
        """One user message, because not every chat template has a system role. The rules come first in the prompt and
        the work last, so that servers can keep the rules in their prefix cache."""
        try:
            answer = await self.endpoint.complete([{"role": "user", "content": prompt}], seed=seed, json_schema=schema)
            text, self.endings[brief] = answer.text, answer.ending
        except EmptyAnswerError as error:
            text, self.endings[brief] = "", error.ending
        return text


def _one_line(persona: str) -> str:
    return " ".join(persona.splitlines())


def _script_in(value: JsonValue) -> JsonValue:
    """The script itself, where a model has put it into a list of one or under a key such as ``"script"``."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict) and len(value) == 1 and isinstance(inner := next(iter(value.values())), dict):
        return inner
    return value


def _turns_in(value: JsonValue) -> JsonValue:
    """The list of turns itself, where a model has put it under a key, or has written a single turn without a list."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict) and "role" not in value[0]:
        value = value[0]
    if isinstance(value, dict) and "role" in value:
        return [value]
    if isinstance(value, dict):
        return next((inner for inner in value.values() if isinstance(inner, list)), value)
    return value
