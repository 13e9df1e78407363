"""README and docs: short, true, and every link leads somewhere."""

import re
import subprocess
from pathlib import Path

import pytest

from agentrefine_lib.results.readme import BEGIN, END, fill_in, findings

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / ".github" / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"")


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in ("".join(found) for found in LINK.findall(page.read_text())):
        if not target.startswith("https://"):
            name, _, anchor = target.partition("#")
            there = (page.parent / name).resolve() if name else page
            assert there.exists(), target
            assert not anchor or anchor in anchors(there), target


def test_the_readme_is_short_and_leads_to_every_page():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 250
    assert len(text.split()) <= 1500
    assert [page.name for page in PAGES[2:] if f"docs/{page.name}" not in text] == []


def test_the_readme_says_what_the_committed_run_found(tmp_path):
    told = findings(ROOT / "figures", ROOT)
    assert f"{BEGIN}\n{told}\n{END}" in (ROOT / "README.md").read_text()
    page = tmp_path / "README.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    fill_in(page, told)
    assert page.read_text() == f"before\n{BEGIN}\n{told}\n{END}\nafter\n"


def test_make_knows_every_command_of_the_docs():
    told = {name for page in PAGES for name in re.findall(r"(?:^|`|&& )make ([a-z]+)", page.read_text(), re.MULTILINE)}
    assert {"reproduce", "test", "doctor", "lab", "lock"} <= told
    planned = subprocess.run(["make", "-n", *sorted(told)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert planned.returncode == 0, planned.stderr


def test_the_path_for_teachers_names_sections_and_exercises_that_there_are():
    text, found = (ROOT / "docs" / "teaching.md").read_text(), 0
    books = {path.stem[:2]: path.read_text() for path in (ROOT / "notebooks").glob("*.ipynb")}
    for number, cell in re.findall(r"\| \[(\d\d)\](\([^|]+)\|", text):
        for section in re.findall(r"\*([^*]+)\*", cell):
            found += 1
            assert f"# {section}" in books[number], section
    for number, exercise in re.findall(r"^\| (\d\d) \| (\d\. [^|]+) \|", text, re.MULTILINE):
        found += 1
        assert exercise in books[number], exercise
    assert found > 12
