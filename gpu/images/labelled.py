"""Images in memory with their labels: what every source of data gives, and a stage's input."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

MIDDLE, SPREAD = 0.5, 0.25  # one scale for all pixels read from files: about mean 0, deviation 1


class DataError(ValueError):
    """A data directory that is missing, empty, or holds what cannot be read."""


@dataclass(frozen=True)
class Images:
    """Pixels (images, 3, side, side) and labels (images,); the first `training` are to learn from.

    Pixels are bytes as read from files, or numbers ready to use.
    """

    pixels: Tensor
    labels: Tensor
    training: int
    classes: tuple[str, ...]
    name: str

    @property
    def validation(self) -> int:
        """How many images are held out to validate."""
        return len(self.labels) - self.training


def prepared(pixels: Tensor, side: int, dtype: torch.dtype) -> Tensor:
    """A stage's input (batch, 3, side, side): bytes scaled, any size brought to `side`."""
    if pixels.dtype == torch.uint8:
        pixels = (pixels.to(dtype) / 255 - MIDDLE) / SPREAD
    if pixels.shape[-1] != side:
        pixels = functional.interpolate(pixels, size=(side, side), mode="bilinear",
                                        antialias=True)
    return pixels.to(dtype)
