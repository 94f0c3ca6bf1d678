"""The tables of a SWEEP.toml and their ranges."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, Discriminator, Field, Tag, model_validator

from sim.experiment.values.kinds import STRICT, NamedTable

LARGEST = 1_000_000  # points; beyond this a mistyped number would only fill the disk
Number = int | Annotated[float, Field(allow_inf_nan=False)]


class Choices(BaseModel):
    """How a random search draws a key: one of a list, each as likely."""

    model_config = STRICT
    choices: Annotated[list[Any], Field(min_length=1)]

    def draw(self, rng: np.random.Generator) -> Any:
        """One of the choices."""
        return self.choices[int(rng.integers(len(self.choices)))]


class Range(BaseModel):
    """How a random search draws a key: a number from `low` to `high`, evenly or evenly in its log.

    A whole one (both ends included) where both are whole.
    """

    model_config = STRICT
    low: Number
    high: Number
    scale: Literal["linear", "log"] = "linear"

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        if self.low > self.high:
            raise ValueError(f"low is at most high, got {self.low} and {self.high}")
        if not math.isfinite(float(self.high) - float(self.low)):
            raise ValueError(f"high - low is a finite number, got {self.low} and {self.high}")
        if self.scale == "log" and self.low <= 0:
            raise ValueError(f"a log scale starts above 0, got low = {self.low}")
        return self

    def draw(self, rng: np.random.Generator) -> int | float:
        """A number of the range."""
        low, high = self.low, self.high
        if isinstance(low, int) and isinstance(high, int):
            if self.scale == "linear":
                return int(rng.integers(low, high, endpoint=True))
            return min(high, math.floor(self._between(rng, low, high + 1)))
        return min(max(self._between(rng, low, high), low), high)  # exp(log(x)) can miss x

    def _between(self, rng: np.random.Generator, low: float, high: float) -> float:
        if self.scale == "linear":
            return float(rng.uniform(low, high))
        return math.exp(rng.uniform(math.log(low), math.log(high)))


Draw = Annotated[Annotated[Choices, Tag("#list")] | Annotated[Range, Tag("#number")],
                 Discriminator(lambda value: "#list" if "choices" in value else "#number")]
DRAWN = {"choices", *Range.model_fields}


class Random(BaseModel):
    """The table of a random search: so many points, every key drawn on its own."""

    model_config = STRICT
    points: Annotated[int, Field(ge=1, le=LARGEST)]
    seed: Annotated[int, Field(ge=0)] = 0
    keys: dict[str, Any]


class SweepFile(BaseModel):
    """What a SWEEP.toml says: where it starts from, and either a grid or a random search.

    `experiment` is a file (found from the sweep's folder) or its tables; `seeds` counts from
    every point's training.seed.
    """

    model_config = STRICT
    experiment: NamedTable = Field(default_factory=dict)
    seeds: Annotated[int, Field(ge=1, le=1000)] = 1
    grid: dict[str, Any] | None = None
    random: Random | None = None
