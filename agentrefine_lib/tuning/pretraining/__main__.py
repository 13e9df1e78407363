"""python -m agentrefine_lib.tuning.pretraining FOLDER: make the nano model as it was shipped."""

import sys
from pathlib import Path

from agentrefine_lib.tuning.pretraining.train import Plan, pretrain

pretrain(Path(sys.argv[1]), Plan())
