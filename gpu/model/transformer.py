"""A transformer small enough for a CPU: its blocks are a language model's, its tokens patches.

[choice] It reads images, cut into square patches of which each becomes a token, and gives their
class (a vision transformer).  So it runs on every source of images there is; what a block computes
and holds is what the blocks of a language model of its width do.  Attention is written out, matrix
by matrix: a fused kernel keeps other tensors on other devices, so that its bytes could not be told
without running it.
Source: Vaswani et al. 2017, Dosovitskiy et al. 2020 (patches as tokens, mean instead of a class
token); normalisation before each part as in GPT-2.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gpu.model.cutter import Network

PERIOD = 10_000.0  # the longest wave of the positions, in tokens


class Patches(nn.Module):
    """Images (batch, 3, side, side) as tokens (batch, tokens, width), with their positions.

    Positions are waves, not learnt, so that images of any size go in.
    """

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, stride=patch)

    def forward(self, images: Tensor) -> Tensor:
        """Tokens (batch, tokens, width) of images (batch, 3, side, side)."""
        tokens: Tensor = self.patches(images).flatten(2).transpose(1, 2)
        return tokens + positions(tokens)


def positions(tokens: Tensor) -> Tensor:
    """The waves that tell where each of `tokens` (batch, tokens, width) stands, (tokens, width)."""
    count, width = tokens.shape[1:]
    place = torch.arange(count, device=tokens.device, dtype=tokens.dtype)[:, None]
    half = torch.arange(width // 2, device=tokens.device, dtype=tokens.dtype)
    angle = place * torch.exp(half * (-2 * math.log(PERIOD) / width))
    return torch.cat([angle.sin(), angle.cos()], dim=1)


class Attention(nn.Module):
    """Every token looks at every other, with several `heads`: (batch, tokens, width) both ways."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.asks, self.answers = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """What each of the tokens (batch, tokens, width) sees, in that shape."""
        batch, count, width = tokens.shape
        split = self.asks(tokens).view(batch, count, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        scores = query @ key.transpose(2, 3) * (width // self.heads) ** -0.5
        seen = scores.softmax(dim=3) @ value
        answers: Tensor = self.answers(seen.transpose(1, 2).reshape(batch, count, width))
        return answers


class Block(nn.Module):
    """A transformer layer: attention, then a perceptron four times as wide, each added to what came
    in; tokens (batch, tokens, width) both ways.

    Several devices that share it exchange a sum of what comes out of each of its two parts.
    """

    all_reduces = 2  # forward, and as many backward

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.before, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.between = nn.LayerNorm(width)
        self.perceptron = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(),
                                        nn.Linear(4 * width, width))

    def forward(self, tokens: Tensor) -> Tensor:
        """The tokens (batch, tokens, width) one layer on."""
        seen: Tensor = tokens + self.attention(self.before(tokens))
        thought: Tensor = seen + self.perceptron(self.between(seen))
        return thought


class Head(nn.Module):
    """The class of an image: tokens (batch, tokens, width) to scores (batch, classes)."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.norm, self.scores = nn.LayerNorm(width), nn.Linear(width, classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """Scores (batch, classes) by the mean of the tokens (batch, tokens, width)."""
        scores: Tensor = self.scores(self.norm(tokens).mean(dim=1))
        return scores


def transformer(classes: int = 10, blocks: int = 6, width: int = 96, heads: int = 4,
                patch: int = 4) -> Network:
    """A small transformer: 676,906 parameters at 10 classes, 64 tokens of images of 32 pixels.

    Units are the patches, every block, and the head.
    """
    units: list[tuple[str, nn.Module]] = [("patches", Patches(width, patch))]
    units += [(f"block{number}", Block(width, heads)) for number in range(blocks)]
    units.append(("head", Head(width, classes)))
    return Network("transformer", tuple(units), classes, 32)
