"""Many episodes at once over all engines, appended to JSONL as they end; on this machine or on a Ray cluster."""

from agentrefine_lib.rollout.atif import for_atif
from agentrefine_lib.rollout.checkpoints import Selection, keep_best, replay
from agentrefine_lib.rollout.cluster import roll_out_on_ray
from agentrefine_lib.rollout.corrected import roll_out_corrected
from agentrefine_lib.rollout.exports import for_inspect, to_datasets
from agentrefine_lib.rollout.loop import Limits, UnplayedError, advance, all_played, roll_out
from agentrefine_lib.rollout.released import take_episodes
from agentrefine_lib.rollout.side_by_side import roll_out_all
