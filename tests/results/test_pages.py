"""The registry of artefacts and the page made from it."""

from pathlib import Path

import pandas as pd
import pytest
from bs4 import BeautifulSoup

from agentrefine_lib import plots
from agentrefine_lib.metrics import claim, claim_row, claims
from agentrefine_lib.metrics.verdicts import Difference
from agentrefine_lib.results import show_claims, show_findings
from agentrefine_lib.results.artefacts import load_artefacts
from agentrefine_lib.results.definitions import PAGE, definitions
from agentrefine_lib.results.pages import as_text, write_pages
from agentrefine_lib.results.readme import corrected
from agentrefine_lib.runner import load_profile

ROOT = Path(__file__).parents[2]
NUMBERED = {"Equation 1", "Algorithm 1"} | {f"Figure {n}" for n in range(1, 14)} | {f"Table {n}" for n in range(1, 12)}
REGISTRY = """\
- id: fig
  title: A figure
  paper: Figure 9
  notebook: 02_draw
  columns: [source, method, engine, metric, value]
  reported: read off bars
  claims:
    - {id: up, says: It goes up., test: a sign test, tried: "<i>more</i> tasks"}
    - {id: untested, says: Who knows., test: none}
"""
MANIFEST = """\
{"profile": "tiny", "commit": null, "dirty": null, "python": "3.11", "cpu_count": 2,
 "notebooks": {"01_count": null, "02_draw": null}}
"""
SCORES = """\
source,method,engine,metric,value,low,high,k,n,citation
this run,<b>ours</b>,babyai,success,25,10.04,40,1,4,
this run,<b>ours</b>,babyai,progress,0.125,,,,4,
paper,theirs,babyai,success,37.5,,,,,their page
"""


@pytest.mark.parametrize("name", ["smoke", "laptop", "paper"])
def test_every_artefact_is_written_by_its_notebook_and_nothing_else_is(name):
    artefacts = load_artefacts(ROOT)
    declared = {
        (path.stem, notebook.name)
        for notebook in load_profile(name, ROOT).notebooks
        if notebook.name[0] != "A"  # an appendix is about the suite itself
        for path in notebook.outputs
        if path.suffix == ".csv" and not path.stem.startswith("claims_")
    }
    unlisted = {("tab_domains", "02_verification"), ("fig_walkthrough", "00_walkthrough")}  # in their notebooks only
    assert declared - unlisted == {(a.id, a.notebook) for a in artefacts}


def test_all_26_of_the_papers_artefacts_are_there_and_the_code_that_defines_them():
    artefacts = load_artefacts(ROOT)
    assert {a.paper for a in artefacts if a.paper} == NUMBERED
    assert [a.id for a in artefacts if not a.code or (a.paper and not a.definition)] == []
    assert (ROOT / PAGE).read_text() == definitions(ROOT)  # else: python -m agentrefine_lib.results.definitions
    assert not any(a.beyond and a.paper for a in artefacts)


def test_reported_numbers_say_whose_they_are():
    reported = pd.read_csv(ROOT / "params" / "reported.csv")
    told = {a.id: a.reported for a in load_artefacts(ROOT)}
    for artefact, rows in reported.groupby("artefact"):
        if artefact in told:
            guessed = "read off bars" in set(rows["confidence"])
            assert told[artefact] == ("read off bars" if guessed else "first-hand"), artefact
    assert set(reported["artefact"]) - set(told) == {"text"}


@pytest.fixture
def root(tmp_path):
    """A registry of one figure, and a folder ``figures`` of a run that made it."""
    (tmp_path / "params").mkdir()
    (tmp_path / "figures").mkdir()
    (tmp_path / "params/artefacts.yaml").write_text(REGISTRY)
    (tmp_path / "figures/fig.csv").write_text(SCORES)
    (tmp_path / "figures/manifest.json").write_text(MANIFEST)
    return tmp_path


def test_the_page_shows_ours_beside_the_papers_escaped_and_every_claim(root):
    (root / "figures/claims_02.csv").write_text(
        "claim,compared,difference,low,high,p,n,seeds,differ,verdict,needed\n"
        "up,a - b,0.5,0,0.75,0.06,8,3,7,not decided,12\n"
    )
    (root / "figures/errata.html").touch()
    page, text = (path.read_text() for path in write_pages(root / "figures", root))
    assert 'href="errata.html"' in page and "(errata.html)" in text
    assert "Figure 9 · A figure" in page and "Figure 9: A figure" in text
    assert "<b>ours</b>" not in page and "&lt;b&gt;ours&lt;/b&gt;" in page
    assert page.index("37.5") < page.index("25 [10,\u00a040] (1/4)")  # the paper's table, then ours
    assert "0.125 (n\u00a0=\u00a04)" in page and "their page" in page
    for told in (page, text):
        assert "50.0 points [0.0, 75.0], p = 0.06, n = 8 (7 differ), up to 3 seeds; about n = 12 would decide" in told
        assert "one side is missing here" in told
        assert "ried: " in told
        assert "1 of 1 artefacts" in told
    assert "<i>more</i>" not in page and "&lt;i&gt;more&lt;/i&gt; tasks" in page
    assert "src=" not in page and "http" not in page.replace("http-equiv", "")


def test_a_chapter_shows_what_is_claimed_and_not_an_id(root):
    nothing = claim("untested", pd.DataFrame(columns=["method", "seed", "task", "progress"]), "a", "b")
    up = claim_row("up", "a - b", Difference(0.5, 0.25, 0.75, n=8, seeds=1))
    page = BeautifulSoup(show_claims(claims(up, nothing, claim_row("<i>mine</i>", "")), root).data, "html.parser")
    rows = [[cell.text for cell in row.select("td")] for row in page.select("tbody tr")]
    assert rows[0] == ["It goes up.", "yes", "50.0 points [25.0, 75.0], n = 8, 1 seed", "a - b"]
    assert rows[1][:3] == ["Who knows.", "not tested", "one side is missing here"]
    assert rows[2][0] == "<i>mine</i>"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (
            "up,a - b,0.5,0.25,0.75,0.01,8,3,yes,",
            "1 claim holds in this run: “It goes up.” (50.0 points [25.0, 75.0], p = 0.01",
        ),
        (
            "up,a - b,-0.5,-0.7,-0.1,0.01,8,3,no,",
            "1 claim fails in this run, where the opposite is seen: “It goes up.”",
        ),
        (
            "up,a - b,0,0,0,1,8,3,no method scored,",
            "1 claim cannot be decided here, because neither side scored on any",
        ),
        (
            "up,a - b,0,0,0,1,8,3,all scored,",
            "1 claim cannot be decided here, because both sides scored in full on all",
        ),
        (
            "up,a - b,0.5,0,0.75,0.06,8,3,not decided,12",
            "(50.0 points [0.0, 75.0], p = 0.06, n = 8, up to 3 seeds; about n = 12 would",
        ),
        ("", "2 claims were not tested, as one side is missing here, such as “It goes up.”"),
    ],
)
def test_what_a_run_showed_is_said_for_every_verdict(root, row, told):
    columns = "claim,compared,difference,low,high,p,n,seeds,verdict,needed"
    (root / "figures/claims_02.csv").write_text(f"{columns}\n{row}\n")
    table = pd.DataFrame({"labels": ["a"], "judge": ["<i>it</i>"], "value": [88.0], "source": [plots.OURS]})
    plots.save(plots.agreement(table.assign(low=80.0, high=90.0)), table, root / "figures", "fig")
    page = BeautifulSoup(show_findings("02_draw", root / "figures", "First this", root=root).data, "html.parser")
    first, figure, *judged = [item.text for item in page.select("li")]
    assert (first, figure) == ("First this.", "Agreement with the teacher: <i>it</i> 88.0 %.")
    assert any(told in sentence for sentence in judged)
    assert len(judged) == (2 if row else 1)


def test_a_csv_that_does_not_keep_its_promise_is_named(root):
    (root / "figures/fig.csv").write_text("source,method\nthis run,x\n")
    with pytest.raises(ValueError, match=r"fig\.csv: found no column engine, metric, value"):
        write_pages(root / "figures", root)
    (root / "params/artefacts.yaml").write_text(REGISTRY + REGISTRY)
    with pytest.raises(ValueError, match="fig, untested, up: is there twice"):
        write_pages(root / "figures", root)
    (root / "params/artefacts.yaml").write_text(REGISTRY.replace("title: A figure", "titel: A figure"))
    with pytest.raises(ValueError, match="entry fig: field title: found nothing, expected: Field required"):
        write_pages(root / "figures", root)


def test_a_long_table_says_how_much_is_left_out():
    told = as_text(pd.DataFrame({"x": range(100)}))
    assert (len(told["rows"]), told["left_out"]) == (60, 40)


def test_what_a_correction_for_many_tests_leaves_is_counted():
    table = pd.DataFrame({"p": [0.001, 0.04, 0.5, None], "verdict": ["yes", "yes", "not decided", "yes"]})
    assert corrected(table).startswith("Left when the 3 tests") and corrected(table).endswith(": 1 of their 2 yes.")
    assert corrected(table.tail(2)) == corrected(table.head(0)) == ""
