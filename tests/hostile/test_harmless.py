"""No file can make the suite run code, leave its folder, or fill the memory."""

import ast
import asyncio
import json
import pickle
import shutil
import tracemalloc
from contextlib import nullcontext
from pathlib import Path

import nbformat
import pytest
import torch
from attacks import make_episode
from transformers import AutoConfig

from agentrefine_lib.dataset import read_conversations, to_conversation
from agentrefine_lib.environments import panel
from agentrefine_lib.policies import LocalPolicy, RandomPolicy
from agentrefine_lib.rollout import for_inspect, roll_out_all
from agentrefine_lib.schema import MAX_LINE_BYTES, Conversation, Journal, SchemaError, read_jsonl
from agentrefine_lib.tuning import Recipe, tune
from agentrefine_lib.tuning.train import RefinementTrainer
from agentrefine_lib.tuning.variants import Planned, tune_all
from agentrefine_lib.verify import check_file, check_trajectories

ROOT = Path(__file__).parents[2]
RUNS_CODE = {"eval", "exec", "compile", "__import__"}
ALLOWED = {  # file: what it may call, and why that is no text of a model or a stranger
    "environments/alfworld/engine.py": {"eval", "compile"},  # the grammar of the installed alfworld package
    "environments/check.py": {"pickle.loads", "pickle.load", "pickle.dumps"},  # its own bytes, through a pipe
    "teachers/embedded/game.py": {"pickle.loads"},  # worlds that the same object has drawn and pickled
    "runner/fingerprint.py": {"compile"},  # a notebook's imports; compiled, never run
}
LOADERS = ("pickle.load", "pickle.loads", "joblib.load", "dill.load", "shelve.open", "marshal.loads", "os.system")
RECIPE = Recipe(
    train_steps=6,
    batch_size=2,
    learning_rate=3e-3,
    max_tokens=1500,
    save_every=2,
    seed=0,
    lora_rank=0,
    precision="float32",
)


def calls_of(source: str) -> list[tuple[str, ast.Call]]:
    return [(ast.unparse(node.func), node) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]


def sources():
    for path in sorted((ROOT / "agentrefine_lib").rglob("*.py")):
        yield str(path.relative_to(ROOT / "agentrefine_lib")), path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = [c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "code"]
        yield (
            path.name,
            "\n".join(
                f"async def cell_{n}():\n" + "\n".join(f"    {line}" for line in ["pass", *cell.splitlines()])
                for n, cell in enumerate(cells)
            ),
        )


@pytest.mark.parametrize(("name", "source"), [pytest.param(*pair, id=pair[0]) for pair in sources()])
def test_nothing_runs_text_or_loads_pickles(name, source):
    for called, call in calls_of(source):
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        if called in RUNS_CODE or called in LOADERS:
            assert called in ALLOWED.get(name, ()), f"{name}:{call.lineno}: {called}"
        assert given.get("shell", "False") == "False", f"{name}:{call.lineno}: a shell"
        loads = called.endswith(".from_pretrained") and name.endswith(".py")
        if loads or "trust_remote_code" in given:  # left out, transformers asks whoever sits at the terminal
            assert given.get("trust_remote_code") == "False", f"{name}:{call.lineno}: code of a model"
        assert given.get("allow_pickle", "False") == "False", f"{name}:{call.lineno}: pickles in arrays"
        if called.endswith("torch.load"):
            assert given.get("weights_only") == "True", f"{name}:{call.lineno}: torch.load unpickles"
        if called in ("yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load"):
            assert given.get("Loader") in ("yaml.BaseLoader", "yaml.SafeLoader"), (
                f"{name}:{call.lineno}: yaml makes objects"
            )


class Bomb:
    """What a pickle of it does when it is loaded: make a file."""

    def __init__(self, harm):
        self.harm = harm

    def __reduce__(self):
        return Path.touch, (self.harm,)


@pytest.fixture
def harm(tmp_path):
    """The file that appears where code of a stranger runs."""
    path = tmp_path / "harmed"
    pickle.loads(pickle.dumps(Bomb(path)))
    assert path.exists(), "the bomb works"
    path.unlink()
    return path


@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin"])
def test_a_checkpoint_with_a_pickle_in_it_runs_nothing(tiny, trajectories, tmp_path, harm, monkeypatch, name):
    class PowerError(Exception):
        pass

    step = RefinementTrainer.training_step

    def dying(self, *given, **more):
        if self.state.global_step == 3:
            raise PowerError
        return step(self, *given, **more)

    data = [to_conversation(t) for t in trajectories[:4]]
    with monkeypatch.context() as patched, pytest.raises(PowerError):
        patched.setattr(RefinementTrainer, "training_step", dying)
        tune(tiny, data, tmp_path / "m", RECIPE)
    torch.save(Bomb(harm), tmp_path / "m" / "checkpoint-2" / name)
    if name == "training_args.bin":  # written for readers, never read
        tune(tiny, data, tmp_path / "m", RECIPE)
    else:
        with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
            tune(tiny, data, tmp_path / "m", RECIPE)
    assert not harm.exists()


@pytest.mark.parametrize(
    ("how", "said"),
    [("pickled weights", "Weights only load failed"), ("code of its own", "contains custom code")],
)
def test_a_strangers_model_runs_nothing(tiny, trajectories, tmp_path, harm, how, said):
    folder = shutil.copytree(tiny, tmp_path / "model")
    if how == "pickled weights":
        (folder / "model.safetensors").unlink()
        torch.save(Bomb(harm), folder / "pytorch_model.bin")
    else:
        (folder / "own.py").write_text(f"open({str(harm)!r}, 'w')\n")
        config = AutoConfig.from_pretrained(folder).to_dict() | {"model_type": "own"}
        config["auto_map"] = {"AutoConfig": "own.C", "AutoModelForCausalLM": "own.M", "AutoTokenizer": ["own.T", None]}
        (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises((ValueError, pickle.UnpicklingError), match=said):
        tune(folder, [to_conversation(t) for t in trajectories[:2]], tmp_path / "m", RECIPE)
    with pytest.raises((ValueError, pickle.UnpicklingError), match=said):
        LocalPolicy(folder, "stranger", context=512)
    assert not harm.exists()


OUTSIDE = ["../x", "/tmp/x", "a/b", "..", "x\0y"]


@pytest.mark.parametrize("name", OUTSIDE)
def test_names_stay_in_their_folder(tiny, tmp_path, name):
    tasks = panel({"babyai": {"GoToDoor": [1]}})
    with nullcontext() if name == ".." else pytest.raises(ValueError, match="expected one that a file may have"):
        asyncio.run(roll_out_all({name: RandomPolicy}, tasks, tmp_path))
    model = Planned(policy=name, method="m", variant="v", seed=0, conversations=None)
    with pytest.raises(ValueError, match="expected one that a file may have"):
        tune_all(tiny, {"v": []}, tmp_path, [model], RECIPE)
    assert {path.name for path in tmp_path.iterdir()} <= {"...jsonl"}
    paths = for_inspect([make_episode(name, "x").model_copy(update={"policy": name})], tmp_path / "logs")
    assert [path.parent for path in paths] == [tmp_path / "logs"] and paths[0].exists()


LONG = 100_000_000  # bytes of one line


@pytest.fixture(scope="module")
def long_line(tmp_path_factory):
    path = tmp_path_factory.mktemp("long") / "long.jsonl"
    with open(path, "wb") as out:
        out.write(b'{"id": "x", "conversations": [{"from": "gpt", "value": "')
        out.truncate(LONG)  # NUL bytes that take no room on the disk
        out.seek(LONG)
        out.write(b'"}]}\n{"id": "y", "conversations": []}\n')
    return path


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (lambda path: list(read_jsonl(path, Conversation)), r"long\.jsonl:1: over 16777216 bytes in one line"),
        (lambda path: list(read_conversations(path)), r"long\.jsonl:1: over 16777216 bytes in one line"),
        (
            lambda path: Journal(path, Conversation, lambda c: c.id),
            r"long\.jsonl:1: over 16777216 bytes .* delete this",
        ),
        (lambda path: list(check_trajectories(path, processes=1)), None),
        (check_file, None),
    ],
    ids=["read_jsonl", "read_conversations", "Journal", "check_trajectories", "check_file"],
)
def test_a_line_of_100_mb_is_refused_in_bounded_memory(long_line, read, said):
    tracemalloc.start()
    if said:
        with pytest.raises(SchemaError, match=said):
            read(long_line)
    else:
        read(long_line)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * MAX_LINE_BYTES
