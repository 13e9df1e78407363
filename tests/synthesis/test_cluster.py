"""The same work over a Ray cluster of two nodes on this machine: the same files as here."""

import asyncio
import tempfile

import pytest

from agentrefine_lib.synthesis import synthesize, synthesize_on_ray
from agentrefine_lib.teachers import EmbeddedTeacher

ray = pytest.importorskip("ray")


@pytest.fixture
def two_nodes(monkeypatch):
    from ray.cluster_utils import Cluster

    with tempfile.TemporaryDirectory(dir="/tmp") as short:  # socket paths must stay under 108 characters
        monkeypatch.setenv("RAY_TMPDIR", short)
        node = {"num_cpus": 1, "object_store_memory": 100 * 1024 * 1024, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=node)
        cluster.add_node(num_cpus=1, object_store_memory=100 * 1024 * 1024)
        ray.init(address=cluster.address, logging_level="error", log_to_driver=False)
        yield cluster
        ray.shutdown()
        cluster.shutdown()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_two_nodes_write_what_one_process_writes(jobs, two_nodes, tmp_path):

    work = jobs(120)
    asyncio.run(synthesize(EmbeddedTeacher(slip_rate=0.2), work, tmp_path / "here"))
    assert len([node for node in ray.nodes() if node["Alive"]]) == 2
    synthesize_on_ray(lambda: EmbeddedTeacher(slip_rate=0.2), work[:50], tmp_path / "there", batch=10)  # then goes on
    synthesize_on_ray(lambda: EmbeddedTeacher(slip_rate=0.2), work, tmp_path / "there", batch=10)
    for name in ("trajectories.jsonl", "rejections.jsonl"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()
