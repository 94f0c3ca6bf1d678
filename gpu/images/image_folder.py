"""A folder of images with a subfolder for each class, as ImageNet and its kin are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gpu.images.labelled import DataError, Images

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".ppm")
PARTS = (("train", "val"), ("train", "valid"), ("train", "validation"), ("train", "test"))
SPLIT_SEED = 20181219  # fixes which images validate, whatever the run's seed
HELD_OUT = 0.2

Labelled = tuple[Path, int]


@dataclass(frozen=True)
class ImageFolder:
    """An image folder's files with their labels, those to train on and those to validate.

    Shuffled once and for all, whatever a run's seed; nothing is decoded yet.
    """

    path: Path
    classes: tuple[str, ...]
    training: tuple[Labelled, ...]
    validation: tuple[Labelled, ...]

    @classmethod
    def scan(cls, path: Path) -> ImageFolder:
        """List a folder: its `train` and `val` subfolders, else all of it with a fifth held out.

        Raises DataError where there are fewer than two classes, or a class without an image.
        """
        for train, held_out in PARTS:
            if (path / train).is_dir() and (path / held_out).is_dir():
                names = _classes(path / train)
                return cls(path, names, _shuffled(_listed(path / train, names)),
                           _shuffled(_listed(path / held_out, names)))
        names = _classes(path)
        files = _shuffled(_listed(path, names))
        cut = round(HELD_OUT * len(files))
        if not cut or len(files) == cut:
            raise DataError(f"{path}: too few images to hold some out for validation: {len(files)}")
        return cls(path, names, files[cut:], files[:cut])

    def load(self, side: int, limit: int | None = None) -> Images:
        """Decode the images as squares (images, 3, side, side) of bytes, their middle cut out.

        At most `limit` to train on and a quarter of that to validate.  Raises DataError naming a
        file that is no image.
        """
        training = self.training[:limit]
        files = training + self.validation[: limit and max(1, limit // 4)]
        pixels = torch.stack([_square(file, side) for file, _ in files])
        labels = torch.tensor([label for _, label in files])
        return Images(pixels, labels, len(training), self.classes, self.path.name)


def _classes(path: Path) -> tuple[str, ...]:
    names = tuple(sorted(p.name for p in path.iterdir() if p.is_dir()))
    if len(names) < 2:
        raise DataError(f"{path}: an image folder has a subfolder for each of at least two "
                        f"classes, found {len(names)}")
    return names


def _listed(path: Path, classes: Sequence[str]) -> list[Labelled]:
    found: list[Labelled] = []
    strange = sorted({p.name for p in path.iterdir() if p.is_dir()} - set(classes))
    if strange:
        raise DataError(f"{path}: class {strange[0]!r} is in no training folder")
    for label, name in enumerate(classes):
        files = sorted(p for p in (path / name).rglob("*") if p.suffix.lower() in ENDINGS)
        if not files:
            raise DataError(f"{path / name}: no image in it ({', '.join(ENDINGS)})")
        found += [(file, label) for file in files]
    return found


def _shuffled(files: Sequence[Labelled]) -> tuple[Labelled, ...]:
    order = np.random.default_rng(SPLIT_SEED).permutation(len(files))
    return tuple(files[i] for i in order)


def _square(file: Path, side: int) -> Tensor:
    """Bytes (3, side, side): the middle square, scaled."""
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as picture:
            fitted = ImageOps.fit(picture.convert("RGB"), (side, side))
    except (OSError, SyntaxError, ValueError) as error:  # a damaged PNG is a SyntaxError
        raise DataError(f"{file}: not a readable image ({error})") from None
    return torch.from_numpy(np.array(fitted)).permute(2, 0, 1).contiguous()
