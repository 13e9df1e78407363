"""An environment whose commands have other names: the paper's robustness experiment.

The engine, its state, progress and success are those of the environment inside; only the wording of commands differs,
alike in what the agent is told and in what it has to write. A memorised command is therefore no command any more.

Renamed: the keys of ``commands`` and the examples in their meanings (what follows "e.g."), valid actions, the
expert's actions, and every command that rules, observations or the expert's thoughts quote (see ``Wording.rewrite``).
Not renamed: object names, the goal, and words in running text, such as "you pick up the cup".
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

from agentrefine_lib.environments.perturbations.wording import JoinedNumbers, Wording, demand_distinct
from agentrefine_lib.environments.protocol import Environment, StepResult, Wrapper
from agentrefine_lib.environments.registry import get_engine
from agentrefine_lib.environments.signature import shape
from agentrefine_lib.schema import Task
from agentrefine_lib.schema.actions import placeholders

NO_COMMAND = "zqvxk"  # played in place of a text that is no command: no engine knows the word
CHECK = "check valid actions"
SHOWN = 40  # characters of a text that is no command which a refusal repeats
JOINED = "joined numbers"  # what a file of renamings says in place of a table


class Renaming(NamedTuple):
    """New signatures for some of an engine's commands; a signature that is not mentioned stays."""

    name: str
    signatures: Mapping[str, str]  # old → new
    joined: bool = False  # a thing's number follows its name without a blank: "drawer1"

    def wording(self, commands: Iterable[str]) -> Wording | JoinedNumbers:
        """These commands of an engine in the new wording. Raises ValueError where two cannot be told apart."""
        where = f"perturbation {self.name}"
        return JoinedNumbers(commands) if self.joined else Wording(commands, self.signatures, where)


@cache
def perturbations(engine: str) -> dict[str, Renaming]:
    """The renamings of an engine by name. Raises ValueError for an engine that has none, or where one is not sound."""
    tables = get_engine(engine).perturbations
    if tables is None:
        raise ValueError(f"perturbations: the engine {engine!r} has none")
    return read_renamings(tables, engine)


def read_renamings(tables: Path | Mapping[str, Mapping[str, str]], where: str = "") -> dict[str, Renaming]:
    """Renamings from a YAML file or as they are. Raises ValueError that names file, perturbation and signature."""
    if isinstance(tables, Path):
        where = str(tables)
        with tables.open(encoding="utf-8") as file:  # PyYAML's errors name it
            tables = yaml.safe_load(file)
    if not isinstance(tables, Mapping):
        raise ValueError(f"{where}: found {type(tables).__name__}, expected perturbation → {{old: new signature}}")
    return {name: _checked(Renaming(name, table), f"{where}: {name}") for name, table in tables.items()}


def _checked(renaming: Renaming, where: str) -> Renaming:
    if renaming.signatures == JOINED:
        return Renaming(renaming.name, {}, joined=True)
    table = renaming.signatures
    pairs = table.items() if isinstance(table, Mapping) else ()
    if not pairs or not all(isinstance(signature, str) for pair in pairs for signature in pair):
        raise ValueError(f"{where}: found {table!r}, expected one or more lines of old signature: new signature")
    for old, new in pairs:
        if sorted(placeholders(old)) != sorted(placeholders(new)):
            raise ValueError(f"{where}: {old!r} and {new!r} have different parameters; both sides name the same")
    alike = {shape(old): new for old, new in pairs}  # games that never meet may have the same command
    demand_distinct(alike.values(), where)
    return renaming


class Perturbed(Wrapper):
    """``environment`` under renamed commands; ``reset`` raises ValueError for a renaming that does not fit them."""

    def __init__(self, environment: Environment, renaming: Renaming) -> None:
        super().__init__(environment)
        self._renaming = renaming

    def reset(self, task: Task) -> str:
        observation, commands = self._reset(task), self.commands
        renamed = set(self._renaming.signatures)
        unknown = renamed - set(commands)
        if (renamed and unknown == renamed) or (unknown and not get_engine(self.engine).commands_by_task):
            told = f"{task.id} has no command {min(unknown)!r}; expected some of {', '.join(commands)}"
            raise ValueError(f"perturbation {self._renaming.name}: {told}")
        self._wording = self._renaming.wording(commands)
        self.version += f", commands renamed: {self._renaming.name}"
        self.rules = self._wording.rewrite(self.rules, about=[s for s in commands if not placeholders(s)])
        self.commands = {self._wording.new[old]: self._reworded(meaning) for old, meaning in commands.items()}
        return self._wording.rewrite(observation)

    def step(self, action: str) -> StepResult:
        """Play an action of the new wording. Any other text is refused by the engine as a word that it does not know,
        except for a bare number and a text with "check" in it (see ``_passed_on``)."""
        played = self._wording.read(action) or _passed_on(action)
        result = self._environment.step(played)
        observation = self._wording.rewrite(result.observation, about=[played])
        if played == NO_COMMAND:
            observation = observation.replace(NO_COMMAND, " ".join(action.split())[:SHOWN])
        return result._replace(observation=observation)

    def valid_actions(self) -> list[str]:
        return sorted(self._wording.write(action) for action in self._environment.valid_actions())

    def expert(self) -> Iterator[tuple[str, str]]:
        for thought, action in self._environment.expert():
            yield self._wording.rewrite(thought, about=[action]), self._wording.write(action)

    def _reworded(self, meaning: str) -> str:
        said, lead, example = meaning.partition("e.g. ")
        return said + lead + self._wording.rewrite(example)


def _passed_on(text: str) -> str:
    """What the engine is told for a text that is no command.

    A number answers a question of the engine (ScienceWorld's "which one?"), and "check" asks for the valid actions;
    neither has a wording that could have been memorised. The text itself could be a command of the old wording.
    """
    if text.strip().isdecimal():
        return text.strip()
    return CHECK if "check" in text.lower() else NO_COMMAND
