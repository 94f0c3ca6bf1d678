"""What makes seconds change within a run: noise, times in which a stage is slow, and trends."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from sim.experiment.values.kinds import STRICT, Seconds, Slowdown, Whole
from sim.experiment.values.said import Says


class Jitter(BaseModel):
    """Noise on every duration: a lognormal factor of mean 1, `sigma` its logarithm's deviation."""

    model_config = STRICT
    sigma: Annotated[float, Field(ge=0, le=3), Says(
        "standard deviation of the factor's logarithm")]


class StragglerWindow(BaseModel):
    """A time, in seconds, in which a stage is slow: what starts on it in [from_s, to_s) takes
    `factor` times as long."""

    model_config = STRICT
    stage: Annotated[Whole, Says("the stage that is slow")]
    from_s: Annotated[Seconds, Says("when it begins to be slow", "s")]
    to_s: Annotated[Seconds, Says("when it no longer is", "s")]
    factor: Annotated[Slowdown, Says("how many times as long what starts meanwhile takes")]


class CostTrend(BaseModel):
    """A stage that changes its pace for good: what starts on it at from_s takes as long as ever,
    from to_s on `factor` times as long, and between them, in seconds, in a straight line."""

    model_config = STRICT
    stage: Annotated[Whole, Says("the stage that drifts")]
    from_s: Annotated[Seconds, Says("when it begins to drift", "s")]
    to_s: Annotated[Seconds, Says("when it is at `factor`; from_s: it jumps there", "s")]
    factor: Annotated[Slowdown, Says("how many times as long what starts from to_s on takes")]
