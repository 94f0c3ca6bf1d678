"""A small set of images that can be learnt, where none is given: made from the seed.

Each class has a coarse random pattern; an image is its class's pattern, enlarged, with noise.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from gpu.images.labelled import Images

PATTERN = 4  # pixels a side of a class's pattern
TRAINING, VALIDATION = 256, 64


def synthetic(classes: int, side: int, seed: int, noise: float,
              dtype: torch.dtype = torch.float32) -> Images:
    """320 images (320, 3, side, side) that can be learnt: 256 to train on, then 64 to validate.

    `noise` is its standard deviation beside a class pattern's 1.
    """
    rng = np.random.default_rng(seed)
    examples = TRAINING + VALIDATION
    patterns = torch.from_numpy(rng.normal(size=(classes, 3, PATTERN, PATTERN)))
    labels = torch.from_numpy(rng.integers(0, classes, examples))
    grain = torch.from_numpy(rng.standard_normal((examples, 3, side, side), dtype=np.float32))
    pictures = functional.interpolate(patterns[labels], size=(side, side)).to(dtype)
    names = tuple(f"pattern {c}" for c in range(classes))
    return Images(pictures + noise * grain.to(dtype), labels, TRAINING, names, "synthetic")
