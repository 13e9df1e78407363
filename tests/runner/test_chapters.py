"""Real notebooks in real kernels: skipped, resumed, refused, and recorded."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from threading import Thread

import pytest

from agentrefine_lib.runner import judge, load_profile
from agentrefine_lib.runner.chapters import Attempt
from agentrefine_lib.runner.fingerprint import Digests

SLEEP = """\
import os, time
Path(run_dir, "kernel").write_text(str(os.getpid()))
while not Path(run_dir, "go").exists():
    time.sleep(0.1)
"""


def manifest(suite) -> dict:
    return json.loads((suite.figures / "manifest.json").read_text())


def lines(suite) -> list[str]:
    return (suite.run_dir / "log.txt").read_text().split()


@pytest.mark.slow
def test_a_run_is_recorded_and_not_repeated_until_something_changes(suite):
    code, printed = suite.run()
    assert code == 0
    first = "tiny: runs what is stale of 2 notebooks, in order; writes to runs/tiny and runs/tiny/figures\n"
    assert printed.startswith(first)
    assert "[1/2] 01_count is stale: never ran\ncounted 4\n[1/2] 01_count done in " in printed
    assert printed.endswith("manifest: runs/tiny/figures/manifest.json\n")
    assert (suite.run_dir / "notebooks/02_draw.ipynb").exists()
    first = manifest(suite)
    assert first["profile"] == "tiny"
    assert list(first["packages"]) == ["papermill"]
    assert "minigrid" in first["engines"]
    count = first["notebooks"]["01_count"]
    assert count["parameters"] == {"given": {"run_dir": "runs/tiny", "n_items": 4}, "defaulted": {"seed": 7}}
    assert count["seeds"] == {"seed": 7}
    assert count["outputs"] == {"runs/tiny/log.txt": sha256(b"4\n").hexdigest()}
    assert count["wall_s"] > 0
    assert count["commit"] is None  # the temporary folder is no git repository

    begun = time.monotonic()
    again = (suite.figures / "manifest.json").read_bytes()
    code, printed = suite.run()
    assert time.monotonic() - begun < 1
    assert (code, printed.splitlines()[1:3]) == (0, ["[1/2] 01_count is up to date", "[2/2] 02_draw is up to date"])
    assert (suite.figures / "manifest.json").read_bytes() == again

    code, printed = suite.run("--only", "01", "-p", "n_items=5")
    assert code == 0
    assert "01_count is stale: parameter n_items changed from 4 to 5\n" in printed
    assert lines(suite) == ["5"]
    (old,) = suite.run_dir.glob(".superseded/*/log.txt")
    assert old.read_text() == "4\n"
    assert (old.parent / "notebooks/01_count.ipynb").exists()
    assert manifest(suite)["notebooks"]["02_draw"] == first["notebooks"]["02_draw"]
    assert suite.run("--why", "-p", "n_items=5") == (
        0,
        "01_count is up to date\n02_draw is stale: input runs/tiny/log.txt changed\n",
    )


@pytest.mark.slow
def test_a_failing_cell_is_shown_and_mended(suite):
    header = 'run_dir: str = "runs/x"\nfigures_dir: str = "runs/x"'
    partial = "from pathlib import Path\nout = Path(run_dir, 'part.txt')\nout.open('a').write('x')"
    suite.profile(
        """\
notebooks:
  - {name: 01_count, outputs: ["{run_dir}/log.txt"]}
  - {name: 02_draw, inputs: ["{run_dir}/log.txt"], outputs: ["{run_dir}/part.txt", "{figures_dir}/fig.csv"]}
"""
    )
    suite.notebook("02_draw", header, partial, "import sys; print('on stderr', file=sys.stderr)\n1 / 0")
    code, printed = suite.run()
    assert code == 1
    assert "on stderr" in printed
    assert "02_draw failed: cell In [4]: ZeroDivisionError: division by zero" in printed
    assert "----> 2 1 / 0" in printed
    assert "executed notebook: runs/tiny/notebooks/02_draw.ipynb" in printed
    assert "ZeroDivisionError" in (suite.run_dir / "notebooks/02_draw.ipynb").read_text()
    assert not (suite.figures / "manifest.json").exists()

    mended = "Path(figures_dir).mkdir()\nPath(figures_dir, 'fig.csv').write_text('1')"
    suite.notebook("02_draw", header, partial, mended)
    code, printed = suite.run()
    assert code == 0
    assert "[1/2] 01_count is up to date" in printed
    assert "02_draw is stale: failed the last time; the notebook itself changed" in printed
    assert (suite.run_dir / "part.txt").read_text() == "xx"
    assert manifest(suite)["notebooks"]["02_draw"]["resumed"]


@pytest.mark.slow
def test_a_notebook_that_does_not_write_its_outputs_is_refused(suite):
    suite.profile("notebooks: [{name: 01_count, outputs: ['{figures_dir}/a.csv', '{figures_dir}/b.csv']}]\n")
    stale = suite.write("runs/tiny/figures/a.csv", "of an earlier run")
    os.utime(stale, (1e9, 1e9))
    suite.notebook("01_count", "seed: int = 1", "pass")
    code, printed = suite.run()
    assert code == 1
    assert "01_count failed: it ran to its end, but output runs/tiny/figures/a.csv was left untouched; " in printed
    assert "output runs/tiny/figures/b.csv was not written" in printed
    assert "01_count is stale: failed the last time" in suite.run("--why")[1]
    suite.notebook("01_count", "seed: int = 1", "import os", "os._exit(1)")
    code, printed = suite.run()
    assert code == 1
    assert "01_count failed: the kernel died" in printed


@pytest.mark.slow
@pytest.mark.fault("reproduce", "full disk", "told without a traceback; goes on once there is room")
def test_a_full_disk_is_told_and_the_run_goes_on(suite, disk):
    words = ["-p", f"run_dir={disk.path / 'run'}", f"figures_dir={disk.path / 'run' / 'figures'}"]
    for free in (0, 8192):  # nothing at all; enough for the state, not for the executed notebook
        disk.leave(free)
        code, printed = suite.run(*words)
        assert code == 1
        assert "No space left on device" in printed and "run the same command again" in printed
        assert "Traceback" not in printed
    disk.make_room()
    code, printed = suite.run(*words)
    assert code == 0
    assert "01_count is stale: " in printed
    assert set((disk.path / "run" / "figures" / "fig.csv").read_text().split()) == {"4"}


@pytest.mark.fault("reproduce", "read-only output", "told without a traceback")
def test_a_read_only_disk_is_told(suite, disk):
    disk.mount("remount", "ro")
    code, printed = suite.run("-p", f"run_dir={disk.path / 'run'}", f"figures_dir={disk.path / 'figures'}")
    assert code == 1
    assert printed.splitlines() == [
        f"[Errno 30] Read-only file system: '{disk.path / 'run'}'",
        "fix the disk and run the same command again: finished notebooks are skipped",
    ]


def begin(suite, *more: str) -> subprocess.Popen[str]:
    """The runner in a process of its own."""
    words = [sys.executable, "-m", "agentrefine_lib.runner", "tiny", "--root", str(suite.root), *more]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def start(suite, *more: str) -> subprocess.Popen[str]:
    """The runner, stopped in the middle of 01_count, whose output is half-written."""
    suite.notebook("01_count", 'run_dir: str = "runs/x"\nn_items: int = 3\nseed: int = 7', COUNT_AND_WAIT)
    runner = begin(suite, *more)
    kernel = suite.run_dir / "kernel"
    wait_for(lambda: runner.poll() is not None or (kernel.exists() and kernel.read_text() != ""))
    assert runner.poll() is None, runner.communicate()
    return runner


COUNT_AND_WAIT = f"from pathlib import Path\nPath(run_dir, 'log.txt').open('a').write('4 ')\n{SLEEP}"


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def kernel_is_gone(suite) -> bool:
    process = Path("/proc", (suite.run_dir / "kernel").read_text())
    return not process.exists() or "\nState:\tZ" in (process / "status").read_text()


@pytest.mark.slow
@pytest.mark.fault("reproduce", "kill -9", "the kernel ends by itself; the notebook goes on, earlier ones are skipped")
@pytest.mark.fault("reproduce", "two runs at once", "the second is refused")
def test_a_killed_run_is_continued_and_two_runners_do_not_meet(suite):
    runner = start(suite)
    code, printed = suite.run()
    lock = suite.run_dir / ".lock"
    assert code == 2 and printed.startswith(f"{lock}: another run is writing this file; wait for it or choose another")
    runner.kill()
    runner.wait()
    wait_for(lambda: kernel_is_gone(suite))
    assert "01_count is stale: was interrupted" in suite.run("--why")[1]
    suite.write("runs/tiny/go", "")
    code, printed = suite.run()
    assert code == 0
    assert "[1/2] 01_count is stale: was interrupted\n" in printed
    assert lines(suite) == ["4", "4"]
    assert manifest(suite)["notebooks"]["01_count"]["resumed"]


@pytest.mark.slow
@pytest.mark.fault("reproduce", "SIGINT", "the kernel ends; says how to go on")
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_how_to_go_on_and_leaves_no_kernel(suite, sign: signal.Signals):
    runner = start(suite)
    runner.send_signal(sign)
    printed, _ = runner.communicate(timeout=120)
    assert runner.returncode == 130
    assert printed.splitlines()[-1] == "interrupted: run the same command again to continue"
    assert kernel_is_gone(suite)
    assert "01_count is stale: was interrupted" in suite.run("--why")[1]


ONE_AND_ONE = """\
notebooks:
  - {name: 01_count, outputs: ["{run_dir}/log.txt"]}
  - {name: 02_draw, inputs: ["{run_dir}/log.txt"], outputs: ["{figures_dir}/fig.csv"]}
  - {name: 03_beside, outputs: ["{run_dir}/beside.txt", "{run_dir}/many"]}
"""
MEET = """\
import time
from pathlib import Path
Path(run_dir, "log.txt").write_text("4") if mine == "log.txt" else Path(run_dir, mine).write_text("here")
end = time.monotonic() + 30
while not Path(run_dir, other).exists():
    assert time.monotonic() < end, "nobody beside me"
    time.sleep(0.05)
print("met")
"""

MANY = """\
many = Path(run_dir, "many")
many.mkdir()
for number in range(1000):  # more than a pipe holds is told of them
    (many / f"{number}.txt").write_text("")
"""


def side_by_side(suite) -> None:
    """01_count and 03_beside end only where both run at a time; 02_draw needs 01_count."""
    suite.profile(ONE_AND_ONE)
    header = 'run_dir: str = "runs/x"\n'
    suite.notebook("01_count", header, "mine, other = 'log.txt', 'beside.txt'", MEET)
    suite.notebook("03_beside", header, "mine, other = 'beside.txt', 'log.txt'", MEET, MANY)


@pytest.mark.slow
def test_chapters_that_do_not_need_each_other_run_side_by_side(suite):
    side_by_side(suite)
    runner = begin(suite, "--jobs", "2")
    printed, _ = runner.communicate(timeout=120)
    assert runner.returncode == 0, printed
    assert "01 | met\n" in printed and "03 | met\n" in printed
    made = manifest(suite)["notebooks"]
    assert made["02_draw"]["started"] >= made["01_count"]["started"]
    assert made["02_draw"]["outputs"]["runs/tiny/figures/fig.csv"] == sha256(b"4").hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_what_a_later_chapter_adds_to_an_input_is_not_waited_for(suite, jobs: str):
    suite.profile(
        """\
notebooks:
  - {name: 01_count, outputs: ["{run_dir}/log.txt"]}
  - {name: 02_draw, inputs: ["{run_dir}"], outputs: ["{figures_dir}/fig.csv"]}
  - {name: 03_beside, inputs: ["{figures_dir}/fig.csv"], outputs: ["{run_dir}/beside.txt"]}
"""
    )
    suite.notebook("03_beside", 'run_dir: str = "runs/x"', "open(run_dir + '/beside.txt', 'w').close()")
    code, printed = suite.run("--jobs", jobs)
    assert code == 0
    begun = [line.split()[1] for line in printed.splitlines() if " is stale: " in line]
    assert begun == ["01_count", "02_draw", "03_beside"]


@pytest.mark.slow
def test_a_chapter_that_fails_lets_the_others_end_and_none_begin(suite):
    side_by_side(suite)
    header = 'run_dir: str = "runs/x"\n'
    suite.notebook("01_count", header, "mine, other = 'log.txt', 'beside.txt'", MEET, "1 / 0")
    code, printed = suite.run("--jobs", "2")
    assert code == 1
    assert "01_count failed: cell In [5]: ZeroDivisionError" in printed
    assert "03_beside done in" in printed and "02_draw is stale" not in printed
    assert "03_beside is up to date" in suite.run("--why")[1]


@pytest.mark.slow
@pytest.mark.fault("reproduce", "SIGINT", "of several chapters at a time every kernel ends")
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_chapters_at_work_end_with_their_runner(suite, sign: signal.Signals):
    runner = start(suite, "--jobs", "2")
    runner.send_signal(sign)
    printed, _ = runner.communicate(timeout=120)
    wait_for(lambda: kernel_is_gone(suite))
    assert sign == signal.SIGKILL or printed.splitlines()[-1] == "interrupted: run the same command again to continue"
    assert "01_count is stale: was interrupted" in suite.run("--why")[1]


@pytest.mark.slow
def test_a_chapter_whose_answer_nobody_reads_any_more_ends(suite):
    suite.profile("notebooks: [{name: 01_count, outputs: ['{run_dir}/many']}]\n")
    suite.notebook("01_count", 'run_dir: str = "runs/x"', "from pathlib import Path", MANY)
    profile = load_profile("tiny", suite.root)
    one = Attempt(profile.notebooks[0], profile, judge(profile.notebooks[0], profile, Digests(profile)))
    assert one.over.poll(60)
    time.sleep(1)  # it has filled the pipe
    one.interrupt()
    waiting = Thread(target=one.join, daemon=True)
    waiting.start()
    waiting.join(10)
    stuck = waiting.is_alive()
    one._process.kill()
    assert not stuck


@pytest.mark.slow
def test_what_is_there_is_kept_although_something_changed_and_the_manifest_says_so(suite):
    suite.run()
    code, printed = suite.run("--keep", "-p", "n_items=5")
    assert code == 0
    assert "01_count is stale: parameter n_items changed from 4 to 5\n" in printed
    assert lines(suite) == ["4", "5"]
    assert manifest(suite)["notebooks"]["01_count"]["kept"] == ["parameter n_items changed from 4 to 5"]
    suite.run("--force", "-p", "n_items=5")
    assert manifest(suite)["notebooks"]["01_count"]["kept"] == []
