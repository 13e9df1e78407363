"""AlfWorld: household tasks in text, in generated games or in ALFWorld's official ones."""

from pathlib import Path

from agentrefine_lib.environments.registry import COMPILED, Engine, Score

ENGINE = Engine(
    name="alfworld",
    title="AlfWorld",
    environment=f"{__name__}.environment:AlfWorld",
    panel={
        **dict.fromkeys(("pick_and_place_simple", "look_at_obj_in_light", "pick_two_obj_and_place"), (1, 2)),
        **{f"pick_{treat}_then_place_in_recep": (1, 2) for treat in ("clean", "heat", "cool")},
    },
    install=COMPILED,
    needs="a C++ compiler and make",
    packages=("alfworld", "textworld"),
    expected={"random": Score(0.0, 0.111), "expert": Score(1.0, 1.0)},
    paper_tasks=134,
    perturbations=Path(__file__).with_name("perturbations.yaml"),
    preload=True,
)
