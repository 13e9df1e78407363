"""Whose work the suite stands on: the licence of every package that it installs, and which extra asks for it.

``python -m agentrefine_lib.runner.licences > .supply-chain/licences.csv``, or ``make licences``. Read from what is
installed here, so that a line is as true as the package's own metadata.
"""

import argparse
import csv
import sys
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from typing import NamedTuple, TextIO

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SUITE = "agentrefine_lib"
EXTRAS = ("", "engines", "server", "ray", "textarena", "test")  # the first that needs a package is named


class Licence(NamedTuple):
    """One package: ``needed_by`` is "always" or the extra that brings it."""

    package: str
    version: str
    licence: str
    needed_by: str
    url: str


def licences() -> list[Licence]:
    """All packages that the suite and its extras need and that are installed here, sorted by name."""
    found: dict[str, Licence] = {}
    for extra in EXTRAS:
        for name in needed(extra):
            if name not in found:
                about = metadata.metadata(name)
                url = field(about, "Home-page") or next(links(about), "")
                found[name] = Licence(name, about["Version"], licence(about), extra or "always", url)
    return [found[name] for name in sorted(found)]


def needed(extra: str) -> set[str]:
    """The names of all packages that are installed for the suite with one extra, those needed by others included."""
    seen: set[tuple[str, str]] = set()
    waiting = [(SUITE, extra)]
    while waiting:
        name, asked = pair = waiting.pop()
        if pair not in seen and (wanted := requirements(name)) is not None:
            seen.add(pair)
            for one in wanted:
                if one.marker is None or one.marker.evaluate({"extra": asked}):
                    waiting += [(one.name, more) for more in ("", *one.extras)]
    names: set[str] = {canonicalize_name(name) for name, _ in seen}
    return names - {canonicalize_name(SUITE)}


@cache
def requirements(name: str) -> list[Requirement] | None:
    """What a package asks for; None where it is not installed."""
    try:
        return [Requirement(line) for line in metadata.requires(name) or []]
    except metadata.PackageNotFoundError:
        return None


def field(about: metadata.PackageMetadata, name: str) -> str:
    """The first line of a field that says something, else an empty text."""
    lines = (line.strip("=# ") for value in about.get_all(name) or [] for line in value.splitlines())
    return next((line for line in lines if line not in ("", "UNKNOWN")), "")


def licence(about: metadata.PackageMetadata) -> str:
    """The licence in one line: an SPDX expression, else the classifiers, else how its text begins."""
    classifiers = [c.split(" :: ") for c in about.get_all("Classifier") or []]
    classified = "; ".join(c[-1] for c in classifiers if c[0] == "License" and c[-1] != "OSI Approved")
    return field(about, "License-Expression") or classified or field(about, "License") or heading(about["Name"])


def heading(name: str) -> str:
    """The first line of the package's licence files that speaks of a licence."""
    files = [f for f in metadata.files(name) or [] if f.name.upper().startswith(("LICENSE", "LICENCE", "COPYING"))]
    files.sort(key=lambda file: ".dist-info" not in str(file))  # others are of what the package brings along
    lines = (line.strip() for file in files for line in file.read_text(encoding="utf-8").splitlines())
    return next((line for line in lines if "licen" in line.lower()), "not stated")


def links(about: metadata.PackageMetadata) -> Iterator[str]:
    """The package's addresses, that of its source first."""
    named = [entry.partition(", ") for entry in about.get_all("Project-URL") or []]
    yield from (url for label, _, url in sorted(named, key=lambda entry: "source" not in entry[0].lower()))


def write(out: TextIO) -> None:
    """The list as CSV."""
    table = csv.writer(out, lineterminator="\n")
    table.writerow(Licence._fields)
    table.writerows(licences())


if __name__ == "__main__":
    argparse.ArgumentParser(prog="licences", description=__doc__).parse_args()
    write(sys.stdout)
