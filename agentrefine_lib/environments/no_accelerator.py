"""Imported first in every engine's process: no library that an engine brings may see a GPU, or take its memory.

``bm25s`` imports JAX where it is installed, and JAX takes three quarters of a card for itself.
"""

import os

HIDDEN = {"CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": "", "ROCR_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"}
os.environ.update(HIDDEN)
