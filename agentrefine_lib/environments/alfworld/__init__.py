"""AlfWorld: household tasks in text, in generated games or in ALFWorld's official ones."""

from pathlib import Path

from agentrefine_lib.environments.registry import COMPILED, Engine, Score

ENGINE = Engine(
    name="alfworld",
    title="AlfWorld",
    environment=f"{__name__}.environment:AlfWorld",
    panel={
        "pick_and_place_simple": [1, 2],
        "look_at_obj_in_light": [1, 2],
        "pick_clean_then_place_in_recep": [1, 2],
        "pick_heat_then_place_in_recep": [1, 2],
        "pick_cool_then_place_in_recep": [1, 2],
        "pick_two_obj_and_place": [1, 2],
    },
    install=COMPILED,
    needs="a C++ compiler and make",
    packages=("alfworld", "textworld"),
    expected={"random": Score(0.0, 0.111), "expert": Score(1.0, 1.0)},
    paper_tasks=134,
    perturbations=Path(__file__).with_name("perturbations.yaml"),
    preload=True,
)
