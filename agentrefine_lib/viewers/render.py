"""Records as pages: what a notebook shows of a script, a trajectory, a mask, an episode, or two episodes."""

from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import groupby
from typing import Any

from IPython.display import HTML

from agentrefine_lib.metrics import first_divergence
from agentrefine_lib.schema import Conversation, Episode, Script, Trajectory
from agentrefine_lib.tuning import Example
from agentrefine_lib.viewers.index import Playable
from agentrefine_lib.viewers.page import block, escape, folded, html_page, sparkline, table, text, tree
from agentrefine_lib.viewers.play import Exchange, Play, as_play

HEIGHT = 520  # pixels of a page, after which it scrolls
CHANGE = "the model's turns: green, likelier after tuning by half a nat or more; red, less likely; bold from 2 nats on"
KEY = (
    "underlined on green: trained · struck through on red: a turn of the model, read but not trained · plain grey: read"
)


def show_script(script: Script) -> HTML:
    """Goal, conditions, actions with their checks, and the environment as a folded tree."""
    return html_page(script_page(script), f"script: {script.goal}", 420)


def show_trajectory(trajectory: Trajectory) -> HTML:
    """The play, one block per action; the dungeon master's flags and what is masked in words."""
    return html_page(play_page(as_play(trajectory)), f"trajectory {trajectory.id}", HEIGHT)


def show_episode(episode: Episode) -> HTML:
    """One rollout, step by step, with progress and refused actions in words."""
    return html_page(play_page(as_play(episode)), f"episode {episode.id}", HEIGHT)


def show_conversation(conversation: Conversation) -> HTML:
    """Message by message: read, trained or masked."""
    return html_page(conversation_page(conversation), f"conversation {conversation.id}", HEIGHT)


def show_mask(example: Example, tokenizer: Any) -> HTML:
    """Every token: trained ones underlined, masked replies struck through, what the model reads plain."""
    return html_page(tokens_page(example, tokenizer), "tokens, trained and masked", HEIGHT)


def show_change(example: Example, tokenizer: Any, before: Sequence[float], after: Sequence[float]) -> HTML:
    """Every token of the model's turns by what tuning changed: nats under two models (``tuning.check.token_nats``)."""
    body = change_page(example, tokenizer, before, after)
    return html_page(body, "tokens, likelier or less likely after tuning", HEIGHT)


def show_two(ours: Episode, theirs: Episode) -> HTML:
    """Two episodes of one task side by side; a line where they part. Raises ValueError for two different tasks."""
    return html_page(pair_page(ours, theirs), f"{ours.policy} and {theirs.policy} on {ours.task.id}", 620)


def script_page(script: Script) -> str:
    """The body of ``show_script``."""
    rows = [
        (signature, "; ".join(f"{name}: {', '.join(values)}" for name, values in spec.listed().items()))
        for signature, spec in script.available_actions.items()
    ]
    codes = [(signature, spec.verification_code) for signature, spec in script.available_actions.items()]
    places = "".join(tree(place, name) for name, place in script.environment.items())
    return "".join(
        [
            block("Goal", text(script.goal), "good"),
            block("Completion conditions", text("\n".join(script.completion_conditions)), "good"),
            block("Available actions", table(("action", "its parameters may be"), rows), "say"),
            folded("Verification codes (RE2)", f'<div class="ar-code">{table(("action", "code"), codes)}</div>'),
            block(f"Environment: {len(script.environment)} places", places),
        ]
    )


def play_page(play: Play) -> str:
    """Who plays what, how it ended, and each exchange."""
    return play_head(play) + "".join(map(exchange_block, play.exchanges))


def play_head(play: Play) -> str:
    """Outcome, counts, progress, goal and what was told first."""
    values = [e.progress for e in play.exchanges if e.progress is not None]
    mark = {"success": "✓ success", "no success": "✗ no success"}.get(play.outcome, play.outcome)
    words = [play.id, play.group, play.player, mark, f"{len(play.exchanges)} actions"]
    words += [f"{len(play.errors)} refused", f"{play.refinements} corrected"] if play.outcome else []
    words += [f"progress {sparkline(values)} {values[-1]:.2f}"] if values else []
    told = [block("Persona", text(play.persona))] if play.persona else []
    told += [block("Goal", text(play.goal), "good")] if play.goal else []
    told += [block("First observation", text(play.opening))] if play.opening else []
    mood = {"success": "good", "no success": "bad"}.get(play.outcome, "")
    return block(" · ".join(word for word in words if word), "", mood) + "".join(told)


def exchange_block(exchange: Exchange) -> str:
    """Thought, action, observation; error, refinement, mask and progress as words in the label."""
    words = [exchange.label]
    words += [f"✗ {exchange.error}"] if exchange.error else []
    words += ["↻ corrects the error before"] if exchange.refines else []
    words += ["masked: read, not trained"] if exchange.masked else []
    words += [f"progress {exchange.progress:.2f}"] if exchange.progress is not None else []
    body = [f'<div class="ar-thought">{text(exchange.thought)}</div>'] if exchange.thought else []
    body.append(f'<div class="ar-action ar-code">{text("> " + exchange.action)}</div>')
    body += [text(exchange.observation)] if exchange.observation else []
    mood = "bad" if exchange.error or exchange.masked else "good" if exchange.refines else "say"
    return block(" · ".join(words), "".join(body), mood, "data-error" if exchange.error else "")


def conversation_page(conversation: Conversation) -> str:
    """The body of ``show_conversation``."""
    blocks = []
    for number, message in enumerate(conversation.conversations):
        if message.sender == "human":
            blocks.append(block(f"{number} · human · read", text(message.value)))
        elif message.is_trained:
            blocks.append(block(f"{number} · gpt · ✓ trained", text(message.value), "good"))
        else:
            label = f"{number} · gpt · ✗ masked: read, not trained"
            blocks.append(block(label, f"<s>{text(message.value)}</s>", "bad"))
    return "".join(blocks)


def tokens_page(example: Example, tokenizer: Any) -> str:
    """The body of ``show_mask``: one element per token, so that its borders can be seen."""
    tokens = zip(example.input_ids, example.trained, example.message, strict=True)
    spans = []
    for (trained, owned), run in groupby(tokens, key=lambda t: (t[1], t[2] >= 0)):
        texts = (_token(tokenizer, token) for token, *_ in run)
        if trained or owned:
            name = "ins" if trained else "s"
            spans += [f"<{name}>{piece}</{name}>" for piece in texts]
        else:
            spans.append(f"<span>{''.join(texts)}</span>")
    return f'<div class="ar-label">{KEY}</div><div class="ar-tokens ar-code"><pre>{"".join(spans)}</pre></div>'


def _token(tokenizer: Any, token: int) -> str:
    return escape(tokenizer.decode([token])).replace("\n", "⏎\n")


def change_page(example: Example, tokenizer: Any, before: Sequence[float], after: Sequence[float]) -> str:
    """The body of ``show_change``; a token's tooltip has both numbers, what is read before the first turn is folded."""
    spans = []
    for token, owner, old, new in zip(example.input_ids, example.message, before, after, strict=True):
        piece = _token(tokenizer, token)
        if owner < 0:
            spans.append(f"<span>{piece}</span>")
            continue
        mood = "" if abs(new - old) < 0.5 else "good" if new < old else "bad"
        strong = " strong" if mood and abs(new - old) > 2 else ""
        spans.append(f'<b class="{mood}{strong}" title="{old:.2f} → {new:.2f} nats">{piece}</b>')
    first = next((place for place, owner in enumerate(example.message) if owner >= 0), 0)
    prompt, turns = (
        f'<div class="ar-tokens ar-code"><pre>{"".join(part)}</pre></div>' for part in (spans[:first], spans[first:])
    )
    return f'<div class="ar-label">{CHANGE}</div>{folded("what it reads first", prompt)}{turns}'


def pair_page(ours: Episode, theirs: Episode) -> str:
    """The body of ``show_two``."""
    parting = first_divergence(ours, theirs)
    plays = as_play(ours), as_play(theirs)
    cells = [f"<div>{play_head(play)}</div>" for play in plays]
    for number in range(1, max(len(play.exchanges) for play in plays) + 1):
        if number == parting:
            said = [play.exchanges[number - 1].action for play in plays if number <= len(play.exchanges)]
            told = "".join(f"<div>{_differing(*pair)}</div>" for pair in (said, said[::-1]) if len(said) == 2)
            cells.append(f'<div class="ar-parting ar-label"><b>they part here, at step {number}</b>{told}</div>')
        for play in plays:
            left = play.exchanges[number - 1 : number]
            named = (e._replace(label=f"{play.player} · {e.label}") for e in left)  # in a narrow window they alternate
            cells.append(f"<div>{''.join(map(exchange_block, named))}</div>")
    if parting > max(len(play.exchanges) for play in plays):
        cells.append('<div class="ar-parting ar-label"><b>they do the same to the end</b></div>')
    return f'<div class="ar-pair">{"".join(cells)}</div>'


def _differing(said: str, other: str) -> str:
    """The words of an action, those marked that the other one has not."""
    words, others = said.split(), other.split()
    parts = SequenceMatcher(None, words, others, autojunk=False).get_opcodes()
    pieces = ((kind, escape(" ".join(words[start:end]))) for kind, start, end, *_ in parts if end > start)
    return " ".join(piece if kind == "equal" else f"<mark>{piece}</mark>" for kind, piece in pieces)


def record_page(record: Playable) -> str:
    """Whatever a file of records may hold."""
    return conversation_page(record) if isinstance(record, Conversation) else play_page(as_play(record))
