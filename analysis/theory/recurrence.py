"""Delayed SGD with momentum on ½λw² as a linear recurrence, one form per mitigation.

With x = ηλ, velocity u = η·v and delay D, version t+1 of the weights is

    w[t+1] = w[t] − u[t+1],   u[t+1] = γ·u[t] + β·x·p[t],   β = 1 (heavy ball) or 1 − γ (EMA)

where p[t] are the weights the applied gradient was taken at.  Every form below says p as
coefficients on w[t], w[t−1], … w[t−D−1].  Eliminating u[t] = w[t−1] − w[t] leaves

    w[t+1] − (1+γ)·w[t] + γ·w[t−1] + β·x·p[t] = 0.

Source: REFERENCE sections 3 and 6; PipeMare (Yang et al. 2021), Lemma 1, at γ = 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sim.arrays import Floats
from sim.numerics.optimizers import Convention
from sim.numerics.stage import Backward


@dataclass(frozen=True)
class DelayedTraining:
    """SGD with momentum whose gradient is `delay` updates late, under one mitigation.

    `horizon` is in updates, `decay` that of the interpolation's share.
    """

    mitigation: str
    delay: int
    momentum: float
    convention: Convention
    horizon: float = 0.0
    decay: float = 1.0

    @property
    def gradient_share(self) -> float:
        """β: how much of a gradient enters the velocity."""
        return 1 - self.momentum if self.convention == "ema" else 1.0

    @property
    def stale_share(self) -> float:
        """The interpolation's a = exp(−decay·D): its share of the stale weights."""
        return math.exp(-self.decay * self.delay) if self.delay else 1.0

    @property
    def form(self) -> Form:
        """What the gradient is taken at, by the mitigation."""
        return FORMS[self.mitigation]

    @property
    def reads(self) -> Floats:
        """Coefficients of p[t] on w[t] … w[t−D−1], shape (delay + 2,)."""
        return self.form.reads(self)


@dataclass(frozen=True)
class Form:
    """What a mitigation's gradient is taken at, under one reading of the backward.

    `reads` gives the coefficients (delay + 2,) of w[t] … w[t−D−1]; `predicts` says whether a
    horizon may be given, `horizon` is its value where none is; `interpolates` whether the decay
    matters.
    """

    reads: Callable[[DelayedTraining], Floats]
    backward: Backward
    predicts: bool = False
    interpolates: bool = False
    horizon: Callable[[DelayedTraining], float] = lambda training: 0.0


def _stale(training: DelayedTraining) -> Floats:
    """p = w[t−D]: what the forward read."""
    reads = np.zeros(training.delay + 2)
    reads[training.delay] = 1.0
    return reads


def _predicted(training: DelayedTraining) -> Floats:
    """p = w[t−D] − s·u[t−D] = (1+s)·w[t−D] − s·w[t−D−1]; u the velocity that made w[t−D]."""
    reads = (1 + training.horizon) * _stale(training)
    reads[training.delay + 1] = -training.horizon
    return reads


def _interpolated(training: DelayedTraining) -> Floats:
    """p = a·w[t−D] + (1−a)·w[t]."""
    reads = training.stale_share * _stale(training)
    reads[0] += 1 - training.stale_share
    return reads


# A stage's own gradient on the quadratic is λ·(forward's weights) under `graph`, λ·(backward's)
# under `recompute` (REFERENCE section 3): `none` is therefore the form below in `graph` alone
# (in `recompute` it has no delay), `stash` and `spectrain-stashed` are the same in both, and
# interpolation exists in `recompute` alone.
FORMS: dict[str, Form] = {
    "none": Form(_stale, "graph"),
    "stash": Form(_stale, "graph"),
    "vertical-sync": Form(_stale, "graph"),
    "spectrain": Form(_predicted, "graph", predicts=True,
                      horizon=lambda training: float(training.delay)),
    "spectrain-stashed": Form(_predicted, "graph", predicts=True,
                              horizon=lambda training: float(training.delay)),
    "nwpt": Form(_predicted, "graph", horizon=lambda training: training.momentum),
    "i-timeprest": Form(_interpolated, "recompute", interpolates=True),
}


def characteristic(training: DelayedTraining, rates: Floats) -> Floats:
    """Characteristic polynomials, highest power first, of shape (rates, delay + 3).

    z^(D+2) − (1+γ)·z^(D+1) + γ·z^D + β·x·Σ p_j·z^(D+1−j), one row per x = ηλ in `rates`.
    """
    fixed = np.zeros(training.delay + 3)
    fixed[:3] = 1.0, -(1 + training.momentum), training.momentum
    moving = np.concatenate(([0.0], training.gradient_share * training.reads))
    return fixed + np.multiply.outer(rates, moving)


def growth(training: DelayedTraining, rates: Floats) -> Floats:
    """Growth per update of the slowest mode: the largest root's modulus, shape (rates,)."""
    polynomials = characteristic(training, np.asarray(rates, dtype=np.float64))
    size = polynomials.shape[1] - 1
    companion = np.zeros((len(polynomials), size, size))
    companion[:, 0, :] = -polynomials[:, 1:]
    companion[:, np.arange(1, size), np.arange(size - 1)] = 1.0
    found: Floats = np.abs(np.linalg.eigvals(companion)).max(axis=1)
    return found
