"""AgentBoard's labelled tasks, and any engine under AgentBoard's rules of progress and success."""

from agentrefine_lib.environments.agentboard.labelled import Labelled, make_labelled
from agentrefine_lib.environments.agentboard.labels import LabelledTask, load_labels
