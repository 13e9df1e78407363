"""HotpotQA: questions that need two articles, answered by search, lookup and finish (ReAct)."""

from pathlib import Path

from agentrefine_lib.environments.registry import Engine, Score

ENGINE = Engine(
    name="hotpotqa",
    title="HotpotQA",
    environment=f"{__name__}.environment:HotpotQA",
    panel={
        "bridge-engineer-birthplace": [0],
        "ferryman-theatre-architect": [0],
        "harvest-museum-town": [0],
        "kell-mountain-height": [0],
        "obermeer-hall-clock": [0],
        "bell-winners-milk": [0],
        "longer-river": [0],
        "older-club": [0],
        "same-press": [0],
        "same-birthplace-writers": [0],
    },
    expected={"random": Score(0.1, 0.1), "expert": Score(1.0, 1.0)},
    packages=("bm25s",),
    perturbations=Path(__file__).with_name("perturbations.yaml"),
)
