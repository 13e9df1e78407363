"""A script to walk around in, and a place to try its commands."""

from collections.abc import Mapping

import ipywidgets as widgets

from agentrefine_lib.schema import CodeError, Match, Script, Trajectory, match_action, placeholders
from agentrefine_lib.schema.actions import fill, read_arguments
from agentrefine_lib.verify import Finding, check_script
from agentrefine_lib.viewers.index import Index, Source
from agentrefine_lib.viewers.page import block, folded, table, text
from agentrefine_lib.viewers.pane import Pane, Panel, dropdown, toolbar
from agentrefine_lib.viewers.render import script_page


class ScriptExplorer(Panel):
    """``ScriptExplorer(script)``, or a trajectory, several, or a file of them: the world, its commands, the verdict.

    A command that you type is matched against every verification code, by RE2 only, as the verifier does. Raises
    ValueError when there is no script.
    """

    def __init__(self, source: Script | Trajectory | Source) -> None:
        self._scripts = _scripts(source)
        if not self._scripts:
            raise ValueError(f"source: found no script in {source!r}")
        self._which = dropdown("script", list(self._scripts), "34em")
        self._action = widgets.Combobox(
            description="try",
            placeholder="type a command of this script",
            layout=widgets.Layout(width="34em", max_width="99%"),
            style={"description_width": "initial"},
        )
        self._verdict, self._page = Pane(name="verdict"), Pane(name="the script", height=460)
        super().__init__("script", [toolbar(self._which, self._action), self._verdict, self._page])
        self._which.observe(lambda _: self._show(), "value")
        self._action.observe(lambda _: self._judge(), "value")
        self._show()

    @property
    def script(self) -> Script:
        """The script that is shown."""
        return self._scripts[self._which.value]

    def _show(self) -> None:
        script = self.script
        found = check_script(script.model_dump(by_alias=True))
        fault = ""
        if isinstance(found, Finding):
            fault = block(f"✗ the verifier rejects this: {found.reason}", text(found.detail), "bad")
        self._page.body = fault + script_page(script)
        self._action.options = [
            fill(signature, {name: values[0] for name, values in spec.parameters.items() if values})
            for signature, spec in script.available_actions.items()
            if all(spec.parameters.values()) and set(placeholders(signature)) <= set(spec.parameters)
        ]
        self._action.value = ""
        self._judge()

    def _judge(self) -> None:
        action = self._action.value
        self._verdict.body = verdict_page(self.script, action) if action else ""


def verdict_page(script: Script, action: str) -> str:
    """What the script's rules make of a command, and what each code read in it."""
    try:
        verdict = match_action(script, action)
    except CodeError as error:
        return block("✗ a verification code of this script is broken", text(str(error)), "bad")
    if isinstance(verdict, Match):
        label, mood = f"✓ accepted as “{verdict.signature}”", "good"
        body = table(("parameter", "value"), verdict.arguments.items()) if verdict.arguments else ""
    else:
        label, mood, body = f"✗ {verdict.kind} error", "bad", text(verdict.detail)
    codes = {signature: spec.verification_code for signature, spec in script.available_actions.items()}
    rows = [(signature, code, _read(code, action)) for signature, code in codes.items()]
    return block(label, body + folded("every code", table(("action", "code", "reads"), rows)), mood)


def _read(code: str, action: str) -> str:
    found = read_arguments(code, action)
    return "✗ no" if found is None else "✓ " + (", ".join(map(repr, found)) or "yes")


def _scripts(source: Script | Trajectory | Source) -> Mapping[str, Script]:
    if isinstance(source, Script):
        return {source.goal: source}
    index = Index([source] if isinstance(source, Trajectory) else source)
    records = (index.record(number) for number in range(len(index)))
    return {f"{r.id}: {r.script.goal}": r.script for r in records if isinstance(r, Trajectory)}
