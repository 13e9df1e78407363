"""AgentBoard's label files (data/<engine>/test.jsonl of its release) as tasks of our engines."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import AfterValidator, AliasPath, ConfigDict, Field, model_validator

from agentrefine_lib.environments.agentboard.rules import readable
from agentrefine_lib.schema import Record, Task, read_jsonl

BABYAI_SEEDS = (1234, 1235, 1236, 1237)  # four labels for each level
JERICHO_GAMES = (  # in the order of the labels, which do not name them
    *("905.z5", "acorncourt.z5", "afflicted.z8", "balances.z5", "dragon.z5", "jewel.z5", "library.z5", "omniquest.z5"),
    *("reverb.z5", "snacktime.z8", "zenon.z5", "zork1.z5", "zork2.z5", "zork3.z5", "detective.z5", "night.z5"),
    *("pentari.z5", "weapon.z5", "huntdark.z5", "loose.z5"),
)

Regex = Annotated[str, AfterValidator(readable)]


class LabelledTask(NamedTuple):
    """A task with AgentBoard's label. ``subgoals``: for each, the patterns any of which will do."""

    task: Task
    goal: str
    subgoals: tuple[tuple[str, ...], ...]


class Label(Record):
    """What every line has; each engine's own fields stand under "additional_info". Other keys are left alone."""

    model_config = ConfigDict(extra="ignore")

    id: int = Field(ge=0)
    goal: str = Field(min_length=1)
    subgoals: list[str] = Field(min_length=1)
    subgoals_1: list[str] = Field(default=[])  # in two tasks of BabyAI: another way there, sub-goal by sub-goal

    @model_validator(mode="after")
    def ways_are_of_one_length(self) -> Self:
        if self.subgoals_1 and len(self.subgoals_1) != len(self.subgoals):
            raise ValueError(f"subgoals_1 lists {len(self.subgoals_1)} patterns, subgoals {len(self.subgoals)}")
        return self


class BabyAILabel(Label):
    task: Literal["babyai"]
    level: str = Field(validation_alias=AliasPath("additional_info", "subtask"), pattern=r"^BabyAI-\w+-v\d+$")


class ScienceWorldLabel(Label):
    task: Literal["scienceworld"]
    subgoals: list[Regex] = Field(min_length=1)
    name: str = Field(validation_alias=AliasPath("additional_info", "env_name"))
    variation: int = Field(validation_alias=AliasPath("additional_info", "var"), ge=0)


class AlfWorldLabel(Label):
    task: Literal["alfworld"]
    subgoals: list[Regex] = Field(min_length=1)
    game: str = Field(validation_alias=AliasPath("additional_info", "description"))  # folder/trial


class JerichoLabel(Label):
    task: Literal["jericho"]
    id: int = Field(ge=0, lt=len(JERICHO_GAMES))


class PddlLabel(Label):
    task: Literal["pddl"]
    domain: str = Field(validation_alias=AliasPath("additional_info", "subtask"))


KINDS = (BabyAILabel, ScienceWorldLabel, AlfWorldLabel, JerichoLabel, PddlLabel)
LABELS: dict[str, type[Label]] = {kind.__name__.removesuffix("Label").lower(): kind for kind in KINDS}


def load_labels(path: Path | str, engine: str, data: Path | str = ".") -> dict[str, LabelledTask]:
    """The labelled tasks of a file by their ids, in the file's order.

    ``data`` is the folder of the engine's own files where a task is a file: the games of the split for alfworld, the
    story files for jericho, the domains (gripper.pddl) and their folders of problems (gripper/) for pddl. Raises
    OSError; SchemaError for a line that does not fit, with file, line and field; ValueError for an engine that
    AgentBoard has no labels for, and where there are fewer problems than labels.
    """
    if engine not in LABELS:
        raise ValueError(f"AgentBoard has no labels for {engine!r}; expected one of {', '.join(LABELS)}")
    labels = list(read_jsonl(path, LABELS[engine]))
    found = {}
    for label, task in zip(labels, _tasks(labels, Path(data)), strict=True):
        ways = zip(*filter(None, (label.subgoals, label.subgoals_1)), strict=True)
        found[task.id] = LabelledTask(task, label.goal, tuple(ways))
    return found


def _tasks(labels: Iterable[Label], data: Path) -> Iterator[Task]:
    problems: dict[str, list[Path]] = {}
    for label in labels:
        match label:
            case BabyAILabel():
                level = label.level.removeprefix("BabyAI-").rpartition("-v")[0]
                yield Task(engine="babyai", name=level, seed=BABYAI_SEEDS[label.id % len(BABYAI_SEEDS)])
            case ScienceWorldLabel():
                yield Task(engine="scienceworld", name=label.name, seed=label.variation)
            case AlfWorldLabel():
                yield Task(engine="alfworld", name=str(data / label.game / "game.tw-pddl"))
            case JerichoLabel():
                yield Task(engine="jericho", name=str(data / JERICHO_GAMES[label.id]))
            case PddlLabel():  # the first label of a domain is for its first problem, and so on
                files = problems.setdefault(label.domain, sorted((data / label.domain).glob("*.pddl"), key=str))
                if not files:
                    raise ValueError(f"{data / label.domain}: fewer problems (*.pddl) than labels; expected as many")
                yield Task(engine="pddl", name=f"{data / label.domain}.pddl:{files.pop(0)}")
