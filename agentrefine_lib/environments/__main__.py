"""Which engines there are, and whether they play here as they should.

python -m agentrefine_lib.environments [ENGINE ...] [--check]
"""

import argparse
import sys
import traceback
from contextlib import closing

from agentrefine_lib.environments import EngineMissingError, Score, engines, get_engine, make_environment, panel
from agentrefine_lib.environments.check import ContractError, check_environment, measure
from agentrefine_lib.environments.perturbations import make_perturbed, perturbations

TOLERANCE = 0.1  # of success and progress: other versions of an engine's packages may differ a little


def main() -> int:
    """Print a line or more for each engine. Returns 1 where one is missing or fails its check, else 0."""
    parser = argparse.ArgumentParser(prog="python -m agentrefine_lib.environments", description=__doc__.split("\n")[0])
    parser.add_argument("engine", nargs="*", help="names of engines; all by default")
    parser.add_argument("--check", action="store_true", help="the contract, the perturbations and the expected scores")
    asked = parser.parse_args()
    if unknown := sorted(set(asked.engine) - engines().keys()):
        parser.error(f"no such engine {', '.join(unknown)}; expected some of {', '.join(engines())}")
    failed = 0
    for name in asked.engine or engines():
        try:
            engine, tasks = get_engine(name), panel({name: {}})
            told = [_told(who, engine.expected.get(who)) for who in ("random", "expert")]
            print(f"{name} ({engine.title}): {len(tasks)} tasks of up to {engine.steps} steps", *told, sep="; ")
            environment = make_environment(tasks[0])
            environment.reset(tasks[0])
            environment.close()
            print(f"{name}: plays here, {environment.version}", flush=True)
            if asked.check:
                check(name)
        except (EngineMissingError, ContractError) as error:
            failed += 1
            print(f"{name}: {error}", flush=True)
        except Exception:  # an engine's own fault, a JVM that does not start: the others are still checked
            failed += 1
            print(f"{name}: {traceback.format_exc()}", flush=True)
    return failed > 0


def check(name: str) -> None:
    """Print what is kept and reached. Raises ContractError where the contract is broken or a score is another one."""
    engine, tasks = get_engine(name), panel({name: {}})
    if engine.perturbations is not None:
        for renaming in perturbations(name):
            with closing(make_perturbed(renaming, tasks[0])) as renamed:
                renamed.reset(tasks[0])
        print(f"{name}: can be renamed by {', '.join(perturbations(name))}")
    print(f"{name}: plays {tasks[0].id} here and in another process, up to minutes; writes nothing", flush=True)
    check_environment(make_environment, tasks[0], listed="random" in engine.expected)
    print(f"{name}: keeps the contract", flush=True)
    for who, expected in engine.expected.items():
        found = measure(make_environment, tasks, who, engine.steps)
        told = f"{_told(who, found)} (n = {len(tasks)}); expected {_told(who, expected)}"
        if max(abs(a - b) for a, b in zip(found, expected, strict=True)) > TOLERANCE:
            raise ContractError(f"{told}, each within {TOLERANCE:g}")
        print(f"{name}: {told}", flush=True)


def _told(who: str, score: Score | None) -> str:
    return f"{who}: success {score.success:.0%}, progress {score.progress:.1%}" if score else f"{who}: none"


if __name__ == "__main__":
    sys.exit(main())
