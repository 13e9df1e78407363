"""``python -m agentrefine_lib.runner laptop``. Exit: 0 done, 1 a notebook failed, 2 refused, 130 interrupted."""

import argparse
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from agentrefine_lib.runner.attempt import NotebookFailedError
from agentrefine_lib.runner.chapters import explain_plan, run, select
from agentrefine_lib.runner.missing import missing_engines, prune, refuse_empty, tell
from agentrefine_lib.runner.profile import Profile, ProfileError, load_profile
from agentrefine_lib.runner.workspace import repository
from agentrefine_lib.schema import SchemaError


def job_count(text: str) -> int:
    """A number of jobs. Raises ArgumentTypeError."""
    if not text.isdecimal() or not 1 <= int(text) < 100:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a number from 1 to 99")
    return int(text)


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """What was asked for on the command line."""
    parser = argparse.ArgumentParser(prog="runner", description="Run the notebooks of a profile, in order.")
    parser.add_argument("profile", nargs="?", default="laptop", help="the name of a file in params/ (default: laptop)")
    parser.add_argument("--only", nargs="+", action="extend", default=[], metavar="NAME", help="03 or 03_finetuning")
    parser.add_argument("--force", action="store_true", help="run everything again, even what is up to date")
    parser.add_argument("--keep", action="store_true", help="go on from what is there although something changed")
    parser.add_argument("--jobs", type=job_count, default=1, metavar="N", help="notebooks at a time (default: 1)")
    parser.add_argument("--dry-run", action="store_true", help="only say what would run")
    parser.add_argument("--why", action="store_true", help="only say what would run, with every reason")
    parser.add_argument(
        "-p", nargs="+", action="extend", default=[], metavar="NAME=VALUE", help="a value, read as YAML"
    )
    parser.add_argument("--root", type=Path, default=repository(), help="the repository (default: %(default)s)")
    return parser.parse_args(words)


def playable_profile(asked: argparse.Namespace) -> Profile:
    """The profile, with other values where engines are missing, which is told before anything runs."""
    as_written = load_profile(asked.profile, asked.root.resolve(), asked.p)
    missing = missing_engines(as_written.notebooks)
    if not missing:
        return as_written
    profile = load_profile(asked.profile, asked.root.resolve(), asked.p, missing)
    tell(as_written, profile, missing)
    refuse_empty(select(profile, asked.only), missing)
    return prune(profile, missing)


def pages(profile: Profile) -> int:
    """Make the pages of a run, by the room below in a process of its own. Returns its exit code."""
    if not (profile.root / "params" / "artefacts.yaml").is_file():
        return 0
    folders = [str(profile.figures_dir), "--root", str(profile.root)]
    return subprocess.run([sys.executable, "-m", "agentrefine_lib.results.pages", *folders], check=False).returncode


def run_profile(asked: argparse.Namespace) -> int:
    """Run, or explain; problems go to stderr. Returns the exit code."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        profile = playable_profile(asked)
        if asked.dry_run or asked.why:
            explain_plan(profile, asked.only, asked.force, every_reason=asked.why)
        else:
            manifest = run(profile, asked.only, asked.force, asked.keep, asked.jobs)
            print(f"manifest: {profile.shown(manifest)}", flush=True)
            return pages(profile)
    except (ProfileError, SchemaError) as error:  # of the second: another runner holds the run folder
        print(error, file=sys.stderr)
        return 2
    except NotebookFailedError as error:
        print(f"{error}\nfix it and run the same command again: finished notebooks are skipped", file=sys.stderr)
        return 1
    except OSError as error:  # a full or read-only disk
        print(f"{error}\nfix the disk and run the same command again: finished notebooks are skipped", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted: run the same command again to continue", file=sys.stderr)
        return 130
    return 0


def main(words: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code."""
    return run_profile(arguments(words))


if __name__ == "__main__":
    sys.exit(main())
