"""Kernels that go through each pass in every make there is, and compare what these answer."""

from __future__ import annotations

import copy
import pkgutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from sim import kernels
from sim.kernels.lanes import LAY_OUT
from sim.kernels.pairs import NUMBA, NUMPY, Kernels, Pair, compile_loops, installed

PAIRS = {name: pair for room in pkgutil.iter_modules(kernels.__path__)
         for name, pair in vars(import_module(f"sim.kernels.{room.name}")).items()
         if isinstance(pair, Pair)}
LAYING_OUT = LAY_OUT  # whose answer is only for the same make's `EXECUTE`


@dataclass(frozen=True)
class PlainLoops(Kernels):
    """The loops as Python runs them."""

    def of(self, pair: Pair) -> Callable[..., Any]:
        return pair.loops


MAKES = {"numpy": NUMPY, "loops": PlainLoops("loops", True),
         **({"numba": NUMBA} if installed() else {})}


class EachMakes(NamedTuple):
    """What a pass answered in every make."""

    answers: list[Any]

    @property
    def kept(self) -> int:
        return max(answer.kept for answer in self.answers)


@dataclass(frozen=True)
class EveryMake(Kernels):
    """Kernels that run each pass in every make and compare all that it answers and changes."""

    name: str = "every"
    compiled: bool = True
    asked: Counter[str] = field(default_factory=Counter)

    def of(self, pair: Pair) -> Callable[..., Any]:
        (name,) = (name for name, each in PAIRS.items() if each == pair)
        makes = [pair.numpy, pair.loops, *([compile_loops(pair.loops)] if installed() else [])]

        def compared(*given: Any) -> Any:
            self.asked[name] += 1
            each = [[a.answers[n] if isinstance(a, EachMakes) else copy.deepcopy(a)
                     for a in given] for n in range(1, len(makes))]
            first = [a.answers[0] if isinstance(a, EachMakes) else a for a in given]
            answers = [make(*args) for make, args in zip(makes, [first, *each], strict=True)]
            if pair is LAYING_OUT:
                return EachMakes(answers)
            for args, answer in zip(each, answers[1:], strict=True):
                same(answers[0], answer)
                for one, other, its_own in zip(first, args, given, strict=True):
                    if not isinstance(its_own, EachMakes):
                        same(one, other)
            return answers[0]

        return compared


def same(one: Any, other: Any) -> None:
    """Equal to the bit, and of one type."""
    if isinstance(one, tuple):
        for a, b in zip(one, other, strict=True):
            same(a, b)
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert one.tobytes() == other.tobytes()
    else:
        assert one == other
