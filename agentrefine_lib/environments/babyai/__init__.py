"""BabyAI (the MiniGrid engine) as a text environment under AgentBoard's rules."""

from pathlib import Path

from agentrefine_lib.environments.registry import Engine, Score

ENGINE = Engine(
    name="babyai",
    title="BabyAI",
    environment=f"{__name__}.environment:BabyAI",
    panel={
        **dict.fromkeys(("GoToRedBallGrey", "GoToLocalS8N7", "GoToDoor", "OpenRedDoor"), (1234, 1235)),
        **dict.fromkeys(("Pickup", "PickupLoc", "UnlockLocalDist", "FindObjS7"), (1234, 1235)),
    },
    expected={"random": Score(0.5625, 0.708), "expert": Score(1.0, 1.0)},
    packages=("minigrid", "gymnasium"),
    paper_tasks=112,
    perturbations=Path(__file__).with_name("perturbations.yaml"),
    preload=True,
)
