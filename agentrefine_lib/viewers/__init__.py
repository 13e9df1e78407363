"""To see it: records as HTML that survives anywhere, and widgets that page through thousands of them."""

from agentrefine_lib.viewers.checkpoint_slider import CheckpointSlider
from agentrefine_lib.viewers.compare_viewer import CompareViewer
from agentrefine_lib.viewers.index import Index
from agentrefine_lib.viewers.label_turns import LabelTurns
from agentrefine_lib.viewers.mask_view import MaskView
from agentrefine_lib.viewers.page import MAX_CHARS
from agentrefine_lib.viewers.play_ground import PlayGround
from agentrefine_lib.viewers.render import (
    show_change,
    show_conversation,
    show_episode,
    show_mask,
    show_script,
    show_trajectory,
    show_two,
)
from agentrefine_lib.viewers.run_monitor import RunMonitor
from agentrefine_lib.viewers.script_explorer import ScriptExplorer
from agentrefine_lib.viewers.trajectory_viewer import TrajectoryViewer
