"""An engine under AgentBoard's rules: the label's goal, and progress and success by its sub-goals."""

from collections.abc import Mapping

from agentrefine_lib.environments import make_environment
from agentrefine_lib.environments.agentboard.labels import LabelledTask
from agentrefine_lib.environments.agentboard.rules import RULES, Rule
from agentrefine_lib.environments.protocol import Environment, StepResult, Wrapper
from agentrefine_lib.schema import SCORE_UNKNOWN, Task


class Labelled(Wrapper):
    """``environment`` playing the task of one label.

    Not AgentBoard's: what the engine has ended is over, where AgentBoard steps a BabyAI or ScienceWorld further.
    """

    def __init__(self, environment: Environment, label: LabelledTask) -> None:
        super().__init__(environment)
        self._label, self.goal = label, label.goal
        self._rule = RULES.get(label.task.engine)
        self._open: set[int] = set()  # sub-goals not reached yet
        self._last = StepResult("", 0.0, False, False, None)

    def reset(self, task: Task) -> str:
        """Start the label's task. Raises ValueError for any other, and for a PDDL problem without the label's goal."""
        if task != self._label.task:
            raise ValueError(f"found the task {task.id}, expected {self._label.task.id}, which the label is for")
        observation = self._reset(task)
        if self._rule is None:
            self._compare_goals()
        self.version = f"{self.version.removesuffix(f', {SCORE_UNKNOWN}')}, AgentBoard's labels"
        self.goal = self._label.goal
        self._open = set(range(len(self._label.subgoals)))
        self._last = StepResult("", 0.0, False, False, None)
        return observation

    def step(self, action: str) -> StepResult:
        """Play one action; progress, success and end are those of AgentBoard's rule."""
        if self._last.done:
            return self._last._replace(observation="The episode is over.", error="logic")
        self._last = self._environment.step(action)
        if self._rule:
            if not ("check" in action.lower() and "action" in action.lower()):  # a list of actions reaches nothing
                self._reach(self._rule, self._last.observation)
            self._last = self._judge(self._rule, self._last)
        return self._last

    def valid_actions(self) -> list[str]:
        """The engine's valid actions; none once the episode is over."""
        return [] if self._last.done else self._environment.valid_actions()

    def _compare_goals(self) -> None:
        conditions = [condition for (condition,) in self._label.subgoals]
        goal = self._environment.goal.casefold()
        if strange := [condition for condition in conditions if condition.casefold() not in goal]:
            raise ValueError(f"{self._label.task.name}: the condition {strange[0]!r} is none of its goal: {goal}")

    def _reach(self, rule: Rule, observation: str) -> None:
        for index in sorted(self._open):
            if any(rule.reached(pattern, observation) for pattern in self._label.subgoals[index]):
                self._open.remove(index)
                if rule.one_a_step:
                    return

    def _judge(self, rule: Rule, result: StepResult) -> StepResult:
        total = len(self._label.subgoals)
        share = (total - len(self._open)) / (total + rule.end_counts)
        won = rule.won(share, result)
        progress = 1.0 if won and rule.end_counts else share
        return StepResult(result.observation, progress, won, won or result.done, result.error)


def make_labelled(labels: Mapping[str, LabelledTask], task: Task) -> Labelled:
    """The environment for a labelled task; ``functools.partial(make_labelled, labels)`` is what a rollout takes.

    Raises ValueError for a task without a label.
    """
    if task.id not in labels:
        raise ValueError(f"{task.id} has no label; there are labels for {', '.join(list(labels)[:3])} …")
    return Labelled(make_environment(task), labels[task.id])
