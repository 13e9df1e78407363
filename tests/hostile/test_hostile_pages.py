"""Pages of whatever texts: our tags and attributes only, everything visible, and all of it text."""

from contextlib import suppress
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import pytest
from attacks import make_episode, patient, texts
from bs4 import BeautifulSoup
from hypothesis import given
from transformers import AutoTokenizer

from agentrefine_lib import plots
from agentrefine_lib.dataset import from_episode, to_conversation
from agentrefine_lib.schema import ActionSpec, DMTurn, PlayerTurn, Script, Trajectory
from agentrefine_lib.tuning import MaskError, encode
from agentrefine_lib.viewers import CompareViewer, ScriptExplorer, TrajectoryViewer
from agentrefine_lib.viewers.page import document
from agentrefine_lib.viewers.render import (
    conversation_page,
    pair_page,
    play_page,
    record_page,
    script_page,
    tokens_page,
)

TAGS = {
    *["html", "head", "meta", "title", "style", "body", "div", "pre", "b", "s", "ins", "span", "code", "p", "button"],
    *["details", "summary", "table", "thead", "tbody", "tr", "th", "td"],
}
ATTRIBUTES = {
    *["class", "colspan", "role", "tabindex", "scope", "style", "charset", "name", "content", "lang", "type", "title"],
    *["aria-label", "aria-pressed", "data-pick", "data-error"],
}
STYLES = {"max-height:520px", None}


class Reader(HTMLParser):
    """What a browser would make elements of."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.styles, self.other = set(), set(), set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.styles |= {value for name, value in attrs if name == "style"}

    def handle_comment(self, data):
        self.other.append(data)

    def handle_pi(self, data):
        self.other.append(data)

    def unknown_decl(self, data):
        self.other.append(data)


def make_trajectory(text: str, action: str) -> Trajectory:
    spec = ActionSpec(verification_code=text, parameters={text: [text, action]})
    world = {text: {text: [text, {text: None}], "x": 3}}
    script = Script(environment=world, goal=action, completion_conditions=[text], available_actions={text: spec})
    turns = [
        DMTurn(turn=0, observation=action),
        PlayerTurn(turn=1, thought=text, action=action),
        DMTurn(turn=2, thought=text, observation=action, parameter_error=True),
        PlayerTurn(turn=3, thought=text, action=action),
        DMTurn(turn=4, thought=text, observation=action),
    ]
    return Trajectory(id=action, teacher=text, persona=text, domain=text, script=script, turns=turns)


@pytest.fixture(scope="module")
def tokenizer(tiny):
    return AutoTokenizer.from_pretrained(tiny)


def pages(text, tokenizer):
    action = text or "x"
    trajectory, episode = make_trajectory(text, action), make_episode(text, action, kind=action)
    talks = [to_conversation(trajectory), from_episode(episode)]
    yield script_page(trajectory.script)
    yield pair_page(episode, episode)
    yield from map(record_page, [trajectory, episode, *talks])
    yield from map(conversation_page, talks)
    with suppress(MaskError):
        yield tokens_page(encode(talks[0], tokenizer), tokenizer)


@patient
@given(text=texts)
def test_nothing_that_is_said_becomes_an_element(tokenizer, text):
    for body in pages(text, tokenizer):
        reader = Reader()
        reader.feed(document(body, text))
        reader.close()
        assert reader.tags <= TAGS and reader.attributes <= ATTRIBUTES
        assert reader.styles <= STYLES and reader.other == []
        body.encode()
        assert not set(body) & {"\0", "\x1b", "\u202e", "\u200b", "\ufeff", "\U000e0041"}


@patient
@given(text=texts.filter(lambda text: text.isprintable() and text.strip() == text and 0 < len(text) < 500))
def test_what_is_said_is_shown_as_it_is(text):
    told = BeautifulSoup(play_page_of(text), "html.parser").get_text()
    assert told.count(text) >= 4


def play_page_of(text):
    from agentrefine_lib.viewers.play import as_play

    return play_page(as_play(make_trajectory(text, text)))


def test_what_would_hide_or_turn_round_is_written_out():
    page = script_page(make_trajectory("safe\u202egnp.exe\0\U000e0041", "x").script)
    assert "safe\\u202egnp.exe\\u0000\\ue0041" in page
    assert "\u200d" in script_page(make_trajectory("👩\u200d🚀", "x").script)


@patient
@given(text=texts)
def test_widgets_take_any_text(tmp_path_factory, text):
    folder = tmp_path_factory.getbasetemp() / "out"
    trajectory, episode = make_trajectory(text, text or "x"), make_episode(text, text or "x")
    other = episode.model_copy(update={"policy": text + "b", "id": text + "b"})
    viewer = TrajectoryViewer([trajectory, episode], out=folder)
    for form in ("html", "jsonl"):
        viewer.export(form)
    for body in (viewer.body, ScriptExplorer(trajectory)._page.body, CompareViewer([episode, other])._matrix.body):
        reader = Reader()
        reader.feed(body)
        assert reader.tags <= TAGS and reader.attributes <= ATTRIBUTES and reader.other == []


@pytest.mark.parametrize("text", ["$\\frac$", "$x", "a $b$ c", "\\$", "\0", "{x}", "%"])
def test_figures_take_any_text(text):
    episode = make_episode(text, text)
    figure = plots.cases(episode, episode)
    figure.canvas.draw()
    plt.close(figure)
