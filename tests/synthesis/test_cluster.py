"""The same work over a Ray cluster of two nodes on this machine: the same files as here."""

import asyncio

import pytest

from agentrefine_lib.schema import Trajectory, read_jsonl
from agentrefine_lib.synthesis import synthesize, synthesize_on_ray
from agentrefine_lib.teachers import EmbeddedTeacher

ray = pytest.importorskip("ray")


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_two_nodes_write_what_one_process_writes(jobs, two_nodes, tmp_path):
    work = jobs(120)
    asyncio.run(synthesize(EmbeddedTeacher(slip_rate=0.2), work, tmp_path / "here"))
    assert len([node for node in ray.nodes() if node["Alive"]]) == 2

    class Failing(EmbeddedTeacher):  # of this function: the cluster does not know this module
        async def play(self, brief, script, prefix):
            return 1 / 0 if brief.seed == work[7].seed else await super().play(brief, script, prefix)

    with pytest.raises(RuntimeError, match=r"(?s)what was made is kept.*ZeroDivisionError"):
        synthesize_on_ray(lambda: Failing(slip_rate=0.2), work[:20], tmp_path / "there", batch=10)
    kept = {t.id for t in read_jsonl(tmp_path / "there" / "trajectories.jsonl", Trajectory)}
    assert len(kept) > 10 and work[7].id not in kept
    synthesize_on_ray(lambda: EmbeddedTeacher(slip_rate=0.2), work, tmp_path / "there", batch=10)
    for name in ("trajectories.jsonl", "rejections.jsonl"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()
