"""Compile the games again: ``python -m agentrefine_lib.environments.jericho.generate [NAME ...]`` (all by default).

Needs textworld, whose wheels (Linux x86-64, Intel macOS) bundle the compilers of Inform 7 (build 6M62) and Inform 6.
The result is the same every day: the serial number in the header, which is the date, is replaced. A story belongs to
its author as long as it prints Inform's banner, and ours do; the environment leaves it out of the first observation.
The compiler leaves a folder ``~/Inform`` behind.
"""

import argparse
import lzma
import tempfile
from pathlib import Path

from agentrefine_lib.environments.jericho.quest import FOLDER, GAMES

SERIAL = slice(0x12, 0x18)  # in the header of a story file (Z-Machine Standards Document 1.1, section 11)


def compile_game(name: str) -> bytes:
    """The story file of a game: its source with common.ni after the title line."""
    from textworld.generator.inform7 import compile_inform7_game

    title, _, body = (FOLDER / f"{name}.ni").read_text(encoding="utf-8").partition("\n")
    common = (FOLDER / "common.ni").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        story = Path(folder) / f"{name}.z8"
        compile_inform7_game(f"{title}\n\n{common}\n{body}", str(story))
        data = bytearray(story.read_bytes())
    data[SERIAL] = b"260101"
    return bytes(data)


def main() -> None:
    parser = argparse.ArgumentParser(prog="generate", description="Compile the games again.")
    parser.add_argument("names", nargs="*", metavar="NAME", default=GAMES, help=f"all by default: {', '.join(GAMES)}")
    names = parser.parse_args().names
    print(f"compiles {', '.join(names)}, seconds each; writes to {FOLDER}", flush=True)
    for name in names:
        packed = lzma.compress(compile_game(name), preset=9)
        (FOLDER / f"{name}.z8.xz").write_bytes(packed)
        print(f"{name}: {len(packed):,} bytes")


if __name__ == "__main__":
    main()
