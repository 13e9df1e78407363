"""Refinement tuning: token masks, a trainer, and a base model for laptops."""

from agentrefine_lib.tuning.base import SMOLLM2, base_folder, load_tokenizer
from agentrefine_lib.tuning.estimate import estimate
from agentrefine_lib.tuning.export import merge
from agentrefine_lib.tuning.launch import launch
from agentrefine_lib.tuning.mask import IGNORED, Example, MaskError, chat_ids, encode, prepare
from agentrefine_lib.tuning.recipe import Recipe
from agentrefine_lib.tuning.sets import sets_table
from agentrefine_lib.tuning.train import tune
