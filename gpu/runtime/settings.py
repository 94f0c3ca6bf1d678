"""What a run on real stages is told beyond its experiment."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from sim.errors import ConfigurationError, shown

MOST_PIXELS, MOST_CLASSES = 4096, 100_000  # of an image's side; of a network
DTYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class RunSettings:
    """What a run on real stages needs beyond the experiment: network, images, loss, optimizer.

    `optimizer` names one in place of the experiment's own.  Without `classes` and `image_size`
    (pixels of a side) they are those the network is meant for.  `costs` balance the cut, one per
    unit of the network, where it is not given: `cut` has the number of units of each stage.  `data`
    is a directory of images (synthetic ones without it), `limit` how many of them to train on,
    `noise` that of the synthetic ones.  `graphs` says whether stages are captured as CUDA graphs:
    `auto` (on CUDA), `on` or `off`.  Raises ConfigurationError for a number that is out of all
    bounds.
    """

    model: str = "narrow"
    image_size: int | None = None
    classes: int | None = None
    loss: str = "cross-entropy"
    optimizer: str | None = None
    dtype: str = "float32"
    costs: tuple[float, ...] | None = None
    data: str | None = None
    limit: int | None = None
    noise: float = 0.5
    graphs: str = "auto"
    cut: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        problems = [f"{name}: {least} to {most:g}, got {shown(value)}" for name, least, most, value
                    in (("image_size", 8, MOST_PIXELS, self.image_size),
                        ("classes", 2, MOST_CLASSES, self.classes), ("noise", 0, 1e6, self.noise))
                    if value is not None and not least <= value <= most]
        if problems:
            raise ConfigurationError(problems)
