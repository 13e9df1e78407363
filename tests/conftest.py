"""Trajectories and a tiny model, made once for all tests; a tiny suite of notebooks; a Ray cluster."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import nbformat
import pytest
import torch
from hypothesis import settings
from nbformat.v4 import new_code_cell, new_notebook
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from agentrefine_lib.runner.__main__ import main
from agentrefine_lib.schema import ActionSpec, DMTurn, PlayerTurn, Script, Trajectory, read_jsonl
from agentrefine_lib.synthesis import Job, synthesize
from agentrefine_lib.teachers import EmbeddedTeacher, embedded_persona
from agentrefine_lib.tuning import SMOLLM2, base_folder

settings.register_profile("fuzz", max_examples=5_000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", settings.get_current_profile_name()))


def pytest_configure() -> None:
    """A shell that starts pytest in the background makes it and its children deaf to SIGINT, which is tested here."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("gpu") and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="no NVIDIA GPU here"))


@pytest.fixture(scope="session")
def jobs() -> Callable[[int], list[Job]]:
    """The first jobs of a list without end."""
    return lambda count: [Job(f"t-{seed:04d}", embedded_persona(seed), seed) for seed in range(count)]


@pytest.fixture(scope="session")
def trajectories(jobs: Callable[[int], list[Job]], tmp_path_factory: pytest.TempPathFactory) -> list[Trajectory]:
    """Sixty accepted plays of the embedded teacher, all of them free of the teacher's own slips."""
    path = asyncio.run(synthesize(EmbeddedTeacher(), jobs(60), tmp_path_factory.mktemp("synthesis")))
    return list(read_jsonl(path, Trajectory))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama with grouped heads, small enough to be tuned in seconds, and SmolLM2's tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(base_folder(SMOLLM2))
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    folder = tmp_path_factory.mktemp("tiny")
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def three_turns() -> Trajectory:
    """Written by hand: one error, its refinement, and the last step."""
    script = Script(
        environment={"kitchen": {"table": {"cup": {"state": "cold"}}}},
        goal="Heat the cup.",
        completion_conditions=["the cup is hot"],
        available_actions={
            "take {item}": ActionSpec(verification_code=r"^\s*take\s+(.+?)\s*$", parameters={"item": ["cup"]}),
            "heat {item}": ActionSpec(verification_code=r"^\s*heat\s+(.+?)\s*$", parameters={"item": ["cup"]}),
        },
    )
    turns = [
        DMTurn(turn=0, observation="You see a cup."),
        PlayerTurn(turn=1, thought="Grab it.", action="grab cup"),
        DMTurn(turn=2, observation="Error: no such command.", parameter_error=True),
        PlayerTurn(turn=3, thought="Then take it.", action="take cup"),
        DMTurn(turn=4, observation="You have the cup."),
        PlayerTurn(turn=5, thought="Now heat it.", action="heat cup"),
        DMTurn(turn=6, observation="It is hot. The task is completed."),
    ]
    return Trajectory(id="hand", script=script, turns=turns)


class Disk:
    """A small file system of its own, in memory."""

    def __init__(self, path: Path) -> None:
        self.path, self._ballast = path, path / "ballast"

    def leave(self, free: int) -> None:
        """Fill it but for so many bytes, rounded up to whole pages."""
        self._ballast.unlink(missing_ok=True)
        here = os.statvfs(self.path)
        with open(self._ballast, "wb") as ballast:
            os.posix_fallocate(ballast.fileno(), 0, here.f_bavail * here.f_bsize - -(-free // 4096) * 4096)

    def make_room(self) -> None:
        self._ballast.unlink()

    def mount(self, *options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", ",".join(["size=96m", *options]), "tmpfs", str(self.path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no small disk: mounting is not permitted here ({done.stderr.strip()})")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk of 96 MiB that tests may fill up."""
    made = Disk(tmp_path / "disk")
    made.path.mkdir()
    made.mount()
    yield made
    subprocess.run(["umount", "--lazy", str(made.path)], check=True)


@pytest.fixture
def two_nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Ray cluster of two nodes on this machine, joined."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    with tempfile.TemporaryDirectory(dir="/tmp") as short:  # socket paths must stay under 108 characters
        monkeypatch.setenv("RAY_TMPDIR", short)
        node = {"num_cpus": 1, "object_store_memory": 100 * 1024 * 1024, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=node)
        cluster.add_node(num_cpus=1, object_store_memory=100 * 1024 * 1024)
        ray.init(address=cluster.address, logging_level="error", log_to_driver=False)
        yield
        ray.shutdown()
        cluster.shutdown()


class Suite:
    """A folder with notebooks, parameters and a library of its own, run by real papermill in real kernels."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self._capsys = root, capsys
        self.run_dir, self.figures = root / "runs/tiny", root / "runs/tiny/figures"
        self.write("constraints.txt", "papermill==2.7.0\nno-such-package==1.0\n# a comment\n")

    def write(self, name: str, text: str) -> Path:
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def notebook(self, name: str, parameters: str, *cells: str) -> None:
        tagged = new_code_cell(parameters, metadata={"tags": ["parameters"]})
        nb = new_notebook(cells=[tagged, *map(new_code_cell, cells)])
        file = self.root / "notebooks" / f"{name}.ipynb"
        file.parent.mkdir(exist_ok=True)
        nbformat.write(nb, file)

    def profile(self, text: str, name: str = "tiny") -> None:
        """Values, and after ``notebooks:`` what stands in params/notebooks.yaml."""
        values, given, chapters = text.partition("notebooks:")
        self.write(f"params/{name}.yaml", f"run_dir: runs/tiny\nfigures_dir: runs/tiny/figures\n{values}")
        if given:
            self.write("params/notebooks.yaml", chapters.lstrip(" "))

    def run(self, *words: str) -> tuple[int, str]:
        """Exit code and everything printed."""
        code = main(["tiny", "--root", str(self.root), *words])
        printed = self._capsys.readouterr()
        return code, printed.out + printed.err


COUNT = """\
from pathlib import Path
log = Path(run_dir, "log.txt")
with log.open("a") as out:
    out.write(f"{n_items}\\n")
print("counted", n_items)
"""

DRAW = """\
import shutil
from pathlib import Path
Path(figures_dir).mkdir(parents=True, exist_ok=True)
shutil.copyfile(Path(run_dir, "log.txt"), Path(figures_dir, "fig.csv"))
"""


@pytest.fixture
def suite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Suite]:
    """Two notebooks: 01_count appends a line to log.txt, 02_draw copies it to a figure."""
    tiny = Suite(tmp_path, capsys)
    tiny.notebook("01_count", 'run_dir: str = "runs/x"\nn_items: int = 3  # how many\nseed: int = 7', COUNT)
    tiny.notebook("02_draw", 'run_dir: str = "runs/x"\nfigures_dir: str = "runs/x"\nwidth: float = 2.5', DRAW)
    tiny.profile(TINY)
    handler = signal.getsignal(signal.SIGTERM)
    with mock.patch.dict(os.environ):
        yield tiny
    signal.signal(signal.SIGTERM, handler)


TINY = """\
n_items: 4
notebooks:
  - name: 01_count
    outputs: ["{run_dir}/log.txt"]
  - name: 02_draw
    inputs: ["{run_dir}/log.txt"]
    outputs: ["{figures_dir}/fig.csv"]
"""
