"""Jericho (interactive fiction, played by Frotz) as a text environment: twelve games of our own, or any story file."""

from pathlib import Path

from agentrefine_lib.environments.registry import COMPILED, Engine, Score

ENGINE = Engine(
    name="jericho",
    title="Jericho",
    environment=f"{__name__}.environment:Jericho",
    panel=dict.fromkeys(
        ("bakery", "barter", "clock_tower", "goat", "lighthouse", "mine", "museum", "post_round"), (0,)
    ),
    install=COMPILED,
    needs="a C++ compiler and make",
    packages=("jericho",),
    expected={"random": Score(0.0, 0.077), "expert": Score(1.0, 1.0)},
    paper_tasks=20,
    perturbations=Path(__file__).with_name("perturbations.yaml"),
    commands_by_task=True,
    plain_english=True,
)
