"""HotpotQA: questions that need two articles, answered by search, lookup and finish (ReAct)."""

from pathlib import Path

from agentrefine_lib.environments.registry import Engine, Score

ENGINE = Engine(
    name="hotpotqa",
    title="HotpotQA",
    environment=f"{__name__}.environment:HotpotQA",
    panel={
        **dict.fromkeys(("bridge-engineer-birthplace", "ferryman-theatre-architect", "harvest-museum-town"), (0,)),
        **dict.fromkeys(("kell-mountain-height", "obermeer-hall-clock", "bell-winners-milk", "longer-river"), (0,)),
        **dict.fromkeys(("older-club", "same-press", "same-birthplace-writers"), (0,)),
    },
    expected={"random": Score(0.1, 0.1), "expert": Score(1.0, 1.0)},
    packages=("bm25s",),
    perturbations=Path(__file__).with_name("perturbations.yaml"),
    at_most=8,  # each holds the whole file
)
