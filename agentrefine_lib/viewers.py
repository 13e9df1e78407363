"""What a notebook shows of a script, a trajectory, a mask or an episode: plain HTML, escaped, no JavaScript.

Text comes from models and files, so everything is escaped. Colour is never the only signal: errors carry a word,
masked tokens are struck through. Colours are half transparent, so they work on light and dark themes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from typing import Any

from IPython.display import HTML

from agentrefine_lib.schema import DMTurn, Episode, Script, Trajectory
from agentrefine_lib.tuning import IGNORED, Example

GREEN, RED, GREY, BLUE = "#2e9e4f", "#d1383d", "#808080", "#2f6fd0"
MAX_CHARS = 1_500


def _clip(text: str) -> str:
    """Escaped text; what is beyond MAX_CHARS waits behind "more"."""
    if len(text) <= MAX_CHARS:
        return escape(text)
    more = f"<details><summary>more ({len(text) - MAX_CHARS} characters)</summary>{escape(text[MAX_CHARS:])}</details>"
    return escape(text[:MAX_CHARS]) + more


def _block(label: str, colour: str, body: str) -> str:
    return (
        f"<div style='border-left:4px solid {colour};margin:3px 0;padding:2px 8px'>"
        f"<small style='color:{colour}'><b>{escape(label)}</b></small>"
        f"<div style='white-space:pre-wrap'>{body}</div></div>"
    )


def _page(blocks: Iterable[str], height: int) -> HTML:
    return HTML(f"<div style='max-height:{height}px;overflow:auto;line-height:1.35'>{''.join(blocks)}</div>")


def show_script(script: Script, height: int = 420) -> HTML:
    """Goal, conditions, actions with their checks, and the environment as a collapsed tree."""
    actions = "\n".join(f"{name}\n    {spec.verification_code}" for name, spec in script.available_actions.items())
    tree = _clip(json.dumps(script.environment, indent=1, ensure_ascii=False))
    return _page(
        [
            _block("Goal", GREEN, _clip(script.goal)),
            _block("Completion conditions", GREEN, _clip("\n".join(script.completion_conditions))),
            _block("Available actions and their verification codes", BLUE, f"<code>{_clip(actions)}</code>"),
            f"<details><summary>Environment: {len(script.environment)} places</summary><pre>{tree}</pre></details>",
        ],
        height,
    )


def show_trajectory(trajectory: Trajectory, height: int = 520) -> HTML:
    """The play, turn by turn; the dungeon master's error flags in words."""
    blocks = [_block("Persona", GREY, _clip(trajectory.persona)), _block("Goal", GREY, _clip(trajectory.script.goal))]
    for turn in trajectory.turns:
        if isinstance(turn, DMTurn):
            label = f"{turn.turn} · DM" + "".join(f" · ✗ {flag.replace('_', ' ')}" for flag in turn.flags)
            blocks.append(_block(label, RED if turn.is_error else GREY, _clip(turn.observation)))
        else:
            body = f"<i>{_clip(turn.thought)}</i>\n<b>{_clip(turn.action)}</b>"
            blocks.append(_block(f"{turn.turn} · Player", BLUE, body))
    return _page(blocks, height)


def show_mask(example: Example, tokenizer: Any, height: int = 520) -> HTML:
    """Every token: trained ones on green, masked replies struck through on red, what the model reads plain."""
    spans = []
    for token, label, message in zip(example.input_ids, example.labels, example.message, strict=True):
        text = escape(tokenizer.decode([token])).replace("\n", "⏎\n")
        if label != IGNORED:
            spans.append(f"<span style='background:{GREEN}55'>{text}</span>")
        elif message >= 0:
            spans.append(f"<s style='background:{RED}44'>{text}</s>")
        else:
            spans.append(f"<span style='color:{GREY}'>{text}</span>")
    key = "green: trained · red, struck through: erroneous turn, read but not trained · grey: read"
    return _page([f"<small>{key}</small><div style='white-space:pre-wrap'>{''.join(spans)}</div>"], height)


def show_episode(episode: Episode, height: int = 520) -> HTML:
    """One rollout, step by step, with progress and refused actions in words."""
    outcome = f"{episode.policy} · {episode.task.id} · {'success' if episode.success else 'no success'}"
    blocks = [_block(outcome, GREY, _clip(episode.goal)), _block("first observation", GREY, _clip(episode.observation))]
    for number, step in enumerate(episode.steps, start=1):
        label = f"step {number} · progress {step.progress:.2f}" + (f" · ✗ {step.error}" if step.error else "")
        body = f"<i>{_clip(step.thought)}</i>\n<b>{_clip(step.action)}</b>\n{_clip(step.observation)}"
        blocks.append(_block(label, RED if step.error else BLUE, body))
    return _page(blocks, height)
