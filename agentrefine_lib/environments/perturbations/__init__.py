"""Action perturbations: the same tasks under renamed commands, to see whether an agent has memorised them.

A new perturbation is a few lines in an engine's ``perturbations.yaml``;
``functools.partial(make_perturbed, "synonyms")`` is what the rollout takes as ``make``.
"""

from collections.abc import Sequence

from agentrefine_lib.environments import engines, make_environment
from agentrefine_lib.environments.perturbations.wrapper import Perturbed, Renaming, perturbations, read_renamings
from agentrefine_lib.environments.protocol import Environment
from agentrefine_lib.schema import Episode, Task, format_reply


def require_perturbations(names: Sequence[str]) -> None:
    """Raise ValueError for a name that is no perturbation of any engine."""
    known = {name for engine, record in engines().items() if record.perturbations for name in perturbations(engine)}
    if unknown := set(names) - known:
        told = f"no such {', '.join(sorted(unknown))}; expected some of {', '.join(sorted(known))}"
        raise ValueError(f"perturbations: {told}")


def make_perturbed(name: str, task: Task) -> Environment:
    """The environment that plays this task, under the perturbation ``name`` of its engine.

    Raises ValueError for an engine or a perturbation that does not exist.
    """
    renamings = perturbations(task.engine)
    if name not in renamings:
        raise ValueError(f"perturbation: {task.engine} has no {name!r}; expected one of {', '.join(renamings)}")
    return Perturbed(make_environment(task), renamings[name])


def perturb_episode(name: str, episode: Episode) -> Episode:
    """A play as it reads under the perturbation ``name`` of its engine. Raises ValueError for an engine without any."""
    wording = perturbations(episode.task.engine)[name].wording(episode.commands)
    steps = []
    for step in episode.steps:
        thought, said = (wording.rewrite(text, about=[step.action]) for text in (step.thought, step.observation))
        action = wording.write(step.action)
        new = {"reply": format_reply(thought, action), "thought": thought, "action": action, "observation": said}
        steps.append(step.model_copy(update=new))
    return episode.model_copy(update={"steps": steps, "observation": wording.rewrite(episode.observation)})
