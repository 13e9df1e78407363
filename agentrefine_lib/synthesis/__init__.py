"""The paper's Algorithm 1: persona → script → trajectory → verify → regenerate, for any teacher, resumable."""

from agentrefine_lib.synthesis.local import synthesize
from agentrefine_lib.synthesis.loop import Job, Limits, synthesize_one
from agentrefine_lib.synthesis.sets import LEARNER, SETS, Synthesis, synthesize_sets
from agentrefine_lib.synthesis.teacher import endpoint_teacher
