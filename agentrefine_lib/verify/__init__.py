"""What is fit to be learned from: the paper's rules on scripts and plays, and checks of released files."""

from agentrefine_lib.verify.batch import check_trajectories
from agentrefine_lib.verify.released import check_file
from agentrefine_lib.verify.rows import BadRow, read_rows
from agentrefine_lib.verify.rules import (
    MIN_REFINEMENTS,
    Finding,
    Reason,
    Rejection,
    check_refinements,
    check_script,
    check_trajectory,
    check_turns,
    count_refinements,
    parse_turns,
)
from agentrefine_lib.verify.trace import trace, with_a_flag_removed
