"""A script without a world, as an environment: its rules judge commands, and nothing happens.

For scripts of language models: their dungeon master is gone once the play is written.
"""

from agentrefine_lib.environments.protocol import StepResult, TextEnvironment
from agentrefine_lib.schema import CodeError, Match, Script, Task, match_action


class RulesOnly(TextEnvironment):
    """The rules of one script. No task is ever completed and no expert knows a move."""

    engine, version = "rules", ""
    _done = False
    rules = "There is no world behind this script, only its rules: they judge your commands, and nothing happens."

    def __init__(self, script: Script, task: Task | None = None) -> None:
        self._script, self.goal = script, script.goal
        self.commands = {signature: spec.verification_code for signature, spec in script.available_actions.items()}

    def reset(self, task: Task) -> str:
        """What would have to be true in the end."""
        return "\n".join(self._script.completion_conditions)

    def _play(self, action: str) -> StepResult:
        """The verdict on one command, by RE2."""
        try:
            verdict = match_action(self._script, action)
        except CodeError as error:
            return self._result(f"A verification code of this script is broken: {error}", "format")
        if isinstance(verdict, Match):
            return self._result(f"The rules accept this as {verdict.signature}.")
        return self._result(verdict.detail, verdict.kind)

    def valid_actions(self) -> list[str]:
        """Unknown: what is possible depends on a world."""
        return []
