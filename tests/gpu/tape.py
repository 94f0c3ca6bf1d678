"""A stand-in for CUDA graphs on a CPU: operators are written down once, and done again in place.

It keeps a graph's two rules.  A replay reads and fills the very tensors of the recording; and what
the recordings of one pool share is theirs only until the last of them has run: then it is spoilt.
"""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gpu.lanes.streams import CpuLane


class Writing(TorchDispatchMode):
    """A context that writes down every operator with its arguments and what it gave."""

    def __init__(self):
        super().__init__()
        self.steps = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        given = func(*args, **(kwargs or {}))
        self.steps.append((func, args, kwargs or {}, given))
        return given


class Recording:
    def __init__(self, steps, result, recorded):
        self.steps, self.recorded, self.replays = steps, recorded, 0
        self.result = [t for t in tree_leaves(result) if isinstance(t, torch.Tensor)]

    def made(self):
        """Tensors whose memory is the recording's own."""
        for func, _, _, given in self.steps:
            for returned, tensor in zip(func._schema.returns, tree_leaves(given), strict=False):
                if returned.alias_info is None and isinstance(tensor, torch.Tensor):
                    yield tensor

    def __call__(self):
        self.replays += 1
        with torch.no_grad():
            for func, args, kwargs, given in self.steps:
                again = tree_leaves(func(*args, **kwargs))
                for returned, old, new in zip(func._schema.returns, tree_leaves(given), again,
                                              strict=False):
                    if returned.alias_info is None and isinstance(old, torch.Tensor):
                        old.copy_(new)
            if len(self.recorded) > 1 and self is self.recorded[-1]:
                self.spoil()

    def spoil(self):
        kept = {t.untyped_storage()._cdata for one in self.recorded for t in one.result}
        for one in self.recorded:
            for tensor in one.made():
                if tensor.is_floating_point() and tensor.untyped_storage()._cdata not in kept:
                    tensor.fill_(float("nan"))


class Tape:
    """A `Recorder` of such recordings; `fails` after so many of them."""

    def __init__(self, fails=None):
        self.recordings, self.fails = [], fails

    def pool(self):
        return []

    def record(self, work, pool):
        if self.fails is not None and len(self.recordings) >= self.fails:
            raise RuntimeError("operation not permitted when stream is capturing\nand more")
        with Writing() as writing:
            result = work()
        one = Recording(writing.steps, result, pool)
        pool.append(one)
        self.recordings.append(one)
        return one, result


class TapeLane(CpuLane):
    """A CPU thread that can record."""

    def __init__(self, name, fails=None):
        super().__init__(name)
        self.tape = Tape(fails)

    def recorder(self):
        return self.tape


def tape_lanes(number, fails=None):
    return [TapeLane(f"tape#{d}", fails) for d in range(number)]
