"""What depends on the version of torch or torchvision, or on names they do not promise to keep.

Everything of that kind in this package is here, each with why, with the versions it was seen to be
needed or to work in, and with a test (`tests/gpu/test_versions.py`) that it still does.  Nothing
else imports a name of theirs that begins with an underscore.  What only tests need is in
`tests/torch_versions.py`.

- `models`: torchvision's import fails where its compiled operators are missing (0.26 to 0.28).
- `residual_layer`: channel numbers of torchvision's ResNet are fixed (every version so far).
- `TorchDispatchMode`, `tree_leaves`: no public way to see every operator's outputs (torch 2.11 to
  2.13).
- `flattened`: the public way to flatten costs three times as much for small stages.
- `hold_up`: no public way to keep a GPU busy for a known time (torch 2.11 to 2.13).
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = ["SCHEMAS", "TorchDispatchMode", "flattened", "hold_up", "models", "residual_layer",
           "tree_leaves"]

SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


@lru_cache(maxsize=1)
def models() -> Any:
    """The module `torchvision.models`, also where torchvision's compiled operators are missing.

    torchvision's Python code registers shapes for two operators of its C++ library, `nms` and
    `qnms`.  Where that library cannot be loaded (torch is a CPU build and torchvision is not, or
    the other way round) those registrations fail on a missing schema, and with them the import of
    the whole package, model zoo included.  Nothing here uses either operator, so their schemas
    alone are enough: they are defined and the import is tried once more.  Where the library
    loads, nothing is defined.  Raises ImportError or what its import raises.
    Source: torchvision/_meta_registrations.py, which registers fake kernels for both.
    """
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


def residual_layer(net: Any, planes: int, blocks: int, stride: int) -> nn.Sequential:
    """A layer of Bottleneck blocks for a torchvision ResNet, made by its own code.

    `planes` are the channels inside a block.  The class fixes them to 64, 128, 256 and 512 and has
    no option for others, so its own `_make_layer` is called.
    """
    layer: nn.Sequential = net._make_layer(models().resnet.Bottleneck, planes, blocks,
                                           stride=stride)
    return layer


def hold_up(cycles: int) -> None:
    """Keep the current CUDA stream busy for so many cycles of its clock, doing nothing."""
    torch.cuda._sleep(cycles)


def flattened(tensors: Sequence[Tensor]) -> Tensor:
    """Tensors of any shapes one after another in a new flat one, (numbers,).

    `torch.cat` of reshaped ones does the same (and does it here, where the other is gone), at
    three times the host's time for thirty small tensors: a call into torch for each.
    """
    flatten = getattr(torch._C._nn, "flatten_dense_tensors", None)
    if flatten is None or len(tensors) == 1:  # of a single one it gives a view
        return torch.cat([each.reshape(-1) for each in tensors])
    result: Tensor = flatten(tensors)
    return result
