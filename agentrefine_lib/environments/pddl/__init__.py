"""PDDL planning domains as a text environment: four generated ones, and any STRIPS files."""

from pathlib import Path

from agentrefine_lib.environments.registry import Engine, Score

ENGINE = Engine(
    name="pddl",
    title="PDDL",
    environment=f"{__name__}.environment:Pddl",
    panel=dict.fromkeys(("gripper", "blocksworld", "barman", "tyreworld"), (0, 1, 2)),
    expected={"random": Score(0.0, 0.161), "expert": Score(1.0, 1.0)},
    paper_tasks=60,
    perturbations=Path(__file__).with_name("perturbations.yaml"),
    commands_by_task=True,
    preload=True,
)
