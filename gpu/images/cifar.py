"""CIFAR-10 as its authors distribute it: binary records, or Python pickles.

Source: Krizhevsky 2009; `data_batch_*` to train on, `test_batch` to validate.
"""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gpu.images.labelled import DataError, Images
from sim.errors import InputError
from sim.files.reading import bytes_of

SIDE = 32
PIXELS = 3 * SIDE * SIDE
FOLDERS = ("", "cifar-10-batches-bin", "cifar-10-batches-py")
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship",
           "truck")
# what a pickled array of bytes is made of; anything else in a file is refused, never run
HARMLESS = {("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode"),
            ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct")}


@dataclass(frozen=True)
class Cifar:
    """CIFAR-10's files in a folder, those to train on and the one to validate, not read yet."""

    path: Path
    training: tuple[Path, ...]
    validation: Path
    classes: tuple[str, ...] = CLASSES

    @classmethod
    def scan(cls, path: Path) -> Cifar | None:
        """The CIFAR-10 files at `path` or in its usual subfolder; None without a training batch.

        Raises DataError where only the test batch is missing.
        """
        for home in (path / folder for folder in FOLDERS):
            for ending in (".bin", ""):
                training = tuple(sorted(home.glob(f"data_batch_[0-9]{ending}")))
                if training and not (home / f"test_batch{ending}").is_file():
                    raise DataError(f"{home}: data_batch files without test_batch{ending}")
                if training:
                    return cls(home, training, home / f"test_batch{ending}")
        return None

    def load(self, side: int, limit: int | None = None) -> Images:
        """The images as bytes (images, 3, 32, 32), whatever `side`: enlarged only when used.

        At most `limit` to train on and a quarter of that to validate.  Raises DataError for a file
        that is no CIFAR-10 batch.
        """
        parts = [_read(file) for file in self.training]
        pixels, labels = (np.concatenate(column)[:limit] for column in zip(*parts, strict=True))
        seen, known = (column[: limit and max(1, limit // 4)] for column in _read(self.validation))
        return Images(torch.from_numpy(np.concatenate([pixels, seen])),
                      torch.from_numpy(np.concatenate([labels, known])), len(labels),
                      self.classes, "CIFAR-10")


def _read(file: Path) -> tuple[Any, Any]:
    """Pixels (images, 3, 32, 32) and labels of one batch file.  Raises DataError."""
    try:
        raw = bytes_of(file)
        pixels, labels = _records(raw) if file.suffix == ".bin" else _unpickled(raw)
    except InputError as error:
        raise DataError(str(error)) from None
    except Exception as error:  # a damaged pickle can raise anything
        raise DataError(f"{file}: not a CIFAR-10 batch ({error})") from None
    if not len(labels) or labels.min() < 0 or labels.max() >= len(CLASSES):
        raise DataError(f"{file}: not a CIFAR-10 batch (labels are 0 to 9)")
    return pixels.reshape(-1, 3, SIDE, SIDE), labels.astype(np.int64)


def _records(raw: bytes) -> tuple[Any, Any]:
    """One byte of label, then the red, green and blue planes."""
    if len(raw) % (PIXELS + 1):
        raise ValueError(f"{len(raw)} bytes are no whole number of records of {PIXELS + 1}")
    rows = np.frombuffer(raw, np.uint8).reshape(-1, PIXELS + 1)
    return rows[:, 1:], rows[:, 0]


def _unpickled(raw: bytes) -> tuple[Any, Any]:
    batch = _Careful(io.BytesIO(raw), encoding="bytes").load()
    plain = {k.decode() if isinstance(k, bytes) else k: v for k, v in batch.items()}
    pixels = np.asarray(plain["data"], np.uint8)
    if pixels.shape != (len(plain["labels"]), PIXELS):
        raise ValueError(f"data of shape {pixels.shape} for {len(plain['labels'])} labels")
    return pixels, np.asarray(plain["labels"])


class _Careful(pickle.Unpickler):
    """Reads arrays and nothing that could do anything."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in HARMLESS:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in it")
        return super().find_class(module, name)
