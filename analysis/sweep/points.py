"""The points of a sweep: what each sets, and the experiments it stands for."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from analysis.sweep.options import Choices, Range
from sim.experiment.documents import put


class Point(NamedTuple):
    """One point of a sweep: its number from 0, what it sets by dotted key, and what that makes.

    `document` is the configuration of its first seed; `in_all` how many instructions the sweep's
    experiments have together.
    """

    number: int
    settings: dict[str, Any]
    document: dict[str, Any]
    seeds: int
    experiments: int


class Grid:
    """The points of a grid: every combination of values, the last key's changing quickest."""

    def __init__(self, values: Mapping[str, Sequence[Any]]) -> None:
        self.values = dict(values)

    def __len__(self) -> int:
        return math.prod(map(len, self.values.values()))

    def settings(self, number: int) -> dict[str, Any]:
        """What point `number` sets, by dotted key."""
        place = np.unravel_index(number, [len(each) for each in self.values.values()])
        return {key: each[int(i)]
                for (key, each), i in zip(self.values.items(), place, strict=True)}

    def definition(self) -> Any:
        """What makes it this grid, as JSON: equal for equal points."""
        return ["grid", list(self.values.items())]


class Search:
    """The points of a random search.

    A key's value depends on the seed, the point and the key's name alone, so neither the number of
    points nor other keys change it.
    """

    def __init__(self, points: int, seed: int, draws: Mapping[str, Choices | Range]) -> None:
        self.points, self.seed, self.draws = points, seed, dict(draws)

    def __len__(self) -> int:
        return self.points

    def settings(self, number: int) -> dict[str, Any]:
        """What point `number` sets, by dotted key."""
        return {key: draw.draw(self._rng(number, key)) for key, draw in self.draws.items()}

    def _rng(self, number: int, key: str) -> np.random.Generator:
        place = (number, zlib.crc32(key.encode()))
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=place))

    def definition(self) -> Any:
        """What makes it this search, as JSON: equal for equal points."""
        return ["random", self.points, self.seed,
                [[key, draw.model_dump()] for key, draw in self.draws.items()]]


@dataclass(frozen=True)
class Sweep:
    """A checked sweep: the document all points start from, what they set, and seeds for each."""

    base: dict[str, Any]
    space: Grid | Search
    seeds: int = 1

    def __len__(self) -> int:
        return len(self.space)

    def point(self, number: int) -> Point:
        """Point `number`, counted from 0."""
        settings = self.space.settings(number)
        document = copy.deepcopy(self.base)
        for key, value in settings.items():
            put(document, key, copy.deepcopy(value))
        return Point(number, settings, document, self.seeds, len(self) * self.seeds)

    @property
    def fingerprint(self) -> str:
        """A digest, equal for sweeps with equal points in one order, profiles' content included."""
        known = [self.base, self.space.definition(), self.seeds, self._profiles()]
        return hashlib.sha256(json.dumps(known).encode()).hexdigest()

    def _profiles(self) -> dict[str, str | None]:
        """Digests of the files that any value of `costs.profile` names."""
        named = {self.base.get("costs", {}).get("profile")}
        if isinstance(self.space, Grid):
            named |= {each for each in self.space.values.get("costs.profile", ())
                      if isinstance(each, str)}
        elif isinstance(draw := self.space.draws.get("costs.profile"), Choices):
            named |= {each for each in draw.choices if isinstance(each, str)}
        return {name: _digest(Path(name)) for name in sorted(filter(None, named))}


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
