"""Importing torchvision where its compiled operators are missing.

torchvision's Python code registers shapes for two operators of its C++ library, `nms` and
`qnms`.  Where that library cannot be loaded (torch is a CPU build and torchvision is not, or the
other way round) those registrations fail on a missing schema, and with them the import of the
whole package, model zoo included.  Nothing here uses either operator, so their schemas alone are
enough: they are defined and the import is tried once more.
Source: torchvision/_meta_registrations.py, which registers fake kernels for both.
"""

from __future__ import annotations

import importlib
import sys
from functools import lru_cache
from typing import Any

import torch

SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


@lru_cache(maxsize=1)
def models() -> Any:
    """The module `torchvision.models`.  Raises ImportError or what its import raises."""
    try:
        return importlib.import_module("torchvision.models")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        _define_schemas()
        return importlib.import_module("torchvision.models")


_library: list[torch.library.Library] = []  # a library's definitions live as long as it does


def _define_schemas() -> None:
    for name in [n for n in sys.modules if n.split(".")[0] == "torchvision"]:
        del sys.modules[name]  # half-imported
    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in SCHEMAS:
        library.define(schema)
    _library.append(library)
