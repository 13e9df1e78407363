"""Refinement tuning: token masks, a trainer, and a model small enough for a laptop."""

from agentrefine_lib.tuning.estimate import estimate
from agentrefine_lib.tuning.export import merge
from agentrefine_lib.tuning.launch import launch
from agentrefine_lib.tuning.mask import IGNORED, Example, MaskError, chat_ids, encode
from agentrefine_lib.tuning.nano import base_folder, build_nano
from agentrefine_lib.tuning.recipe import Recipe
from agentrefine_lib.tuning.train import prepare, tune

__all__ = [
    "IGNORED",
    "Example",
    "MaskError",
    "Recipe",
    "base_folder",
    "build_nano",
    "chat_ids",
    "encode",
    "estimate",
    "launch",
    "merge",
    "prepare",
    "tune",
]
