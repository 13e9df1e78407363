"""Training and playing ask for little: torch, transformers, peft, pydantic and what those bring, RE2 for a record."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ABSENT = {
    *("ipywidgets", "IPython", "anywidget", "matplotlib", "seaborn", "papermill", "nbformat", "jax", "openai", "ray"),
    *("pandas", "scipy", "sklearn", "joblib", "datasets", "pyarrow", "openvino", "openvino_genai", "gguf", "bm25s"),
    *("gymnasium", "minigrid", "scienceworld"),
}
BY_OTHERS = {"datasets", "pandas", "pyarrow", "scipy", "sklearn"}  # that transformers imports where they are
NODE = f"""
import sys
from importlib.machinery import PathFinder

class Bare(PathFinder):  # a node on which these are not installed
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {ABSENT} else PathFinder.find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Bare
"""


def on_a_bare_node(program, *arguments):
    done = subprocess.run([sys.executable, "-c", NODE + program, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


TUNE_AND_PLAY = """
import asyncio
from pathlib import Path
from agentrefine_lib.environments import panel
from agentrefine_lib.policies import LocalPolicy
from agentrefine_lib.rollout import Limits, roll_out_all
from agentrefine_lib.schema import Conversation, read_jsonl
from agentrefine_lib.tuning import Recipe
from agentrefine_lib.tuning.train import train

base, folder = sys.argv[1], Path(sys.argv[2])
recipe = Recipe(train_steps=2, batch_size=1, learning_rate=1e-3, max_tokens=2000, save_every=2, seed=0, lora_rank=2)
train(base, list(read_jsonl(folder / "data.jsonl", Conversation)), folder / "m-0", recipe)
players = {"m-0": lambda: LocalPolicy(folder / "m-0", "m-0", context=2048, reply_tokens=4)}
limits = Limits(steps=2)
asyncio.run(roll_out_all(players, panel({"embedded": {"places": [0, 1]}}), folder / "episodes", limits))
print(sorted(path.name for path in (folder / "m-0").glob("loss.csv")))
"""


def test_a_bare_node_tunes_and_plays(tiny, trajectories, tmp_path):
    from agentrefine_lib.dataset import to_conversation
    from agentrefine_lib.schema import Episode, read_jsonl, write_jsonl

    write_jsonl(tmp_path / "data.jsonl", [to_conversation(t) for t in trajectories[:3]])
    assert "['loss.csv']" in on_a_bare_node(TUNE_AND_PLAY, str(tiny), str(tmp_path))
    assert len(list(read_jsonl(tmp_path / "episodes" / "m-0.jsonl", Episode))) == 2


def test_these_rooms_load_neither_widgets_nor_jax_where_they_are(tmp_path):
    (tmp_path / "jax.py").write_text("")
    program = "import sys; sys.path.insert(0, sys.argv[1])\n"
    program += "import agentrefine_lib.tuning, agentrefine_lib.policies, agentrefine_lib.rollout\n"
    program += (
        f"print(sorted({set(ABSENT) - {'datasets', 'scipy', 'sklearn', 'pandas', 'pyarrow'}} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stdout + done.stderr[-2000:]
