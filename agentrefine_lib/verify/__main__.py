"""``python -m agentrefine_lib.verify FILE…``: is this data fit to be learned from? Exit status 1 if any file is not."""

import argparse
import sys
from collections import Counter
from concurrent.futures.process import BrokenProcessPool

from agentrefine_lib.schema import SchemaError
from agentrefine_lib.verify import check_file, check_trajectories
from agentrefine_lib.verify.rules import MIN_REFINEMENTS


def report_trajectories(path: str, processes: int, min_refinements: int) -> bool:
    """Print the verdicts on a trajectory file by reason, with the first line of each. True when all are fit."""
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    for verdict in check_trajectories(path, processes, min_refinements):
        reason: str = verdict.finding.reason if verdict.finding else "fit"
        counts[reason] += 1
        if verdict.finding:
            name = verdict.id[:80] if verdict.id.isprintable() else ascii(verdict.id[:80])
            first.setdefault(reason, f", first in line {verdict.line} ({name}): {verdict.finding.detail[:200]}")
    print(f"{path}: {counts.total()} trajectories")
    for reason, count in counts.most_common():
        print(f"  {reason}: {count}{first.get(reason, '')}")
    return set(counts) == {"fit"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m agentrefine_lib.verify", description=__doc__)
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="JSONL, JSON or Parquet in the released format; JSONL of trajectories"
    )
    parser.add_argument("--trajectories", action="store_true", help="the files hold trajectories, not conversations")
    told = "refinements that a trajectory needs (default: %(default)s; 0 for the set no_refinement)"
    parser.add_argument("--min-refinements", type=int, default=MIN_REFINEMENTS, help=told)
    parser.add_argument("--processes", type=int, default=2, help="for trajectories (default: %(default)s)")
    arguments = parser.parse_args()
    if arguments.processes < 1:
        parser.error(f"--processes: found {arguments.processes}, expected 1 or more")
    kind, fit = "trajectories" if arguments.trajectories else "conversations", True
    print(f"checks the {kind} of {', '.join(arguments.files)}; writes nothing", flush=True)
    for path in arguments.files:
        try:
            if arguments.trajectories:
                fit &= report_trajectories(path, arguments.processes, arguments.min_refinements)
            else:
                report = check_file(path)
                print(report)
                fit &= report.ok
        except (SchemaError, OSError) as error:
            print(error)
            fit = False
        except BrokenProcessPool:
            print(f"{path}: the system killed a process, perhaps out of memory; run again with --processes 1")
            fit = False
        except KeyboardInterrupt:
            print(f"\n{path}: interrupted; nothing was written", file=sys.stderr)
            return 130
    return 0 if fit else 1


if __name__ == "__main__":
    sys.exit(main())
