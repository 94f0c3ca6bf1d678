"""SpecTrain: predict the weights of the mini-batch's own update from the momentum."""

from dataclasses import dataclass
from typing import Any, Literal

from sim.mitigations import Look, Mitigation, Setting, mitigation
from sim.order.time_units import has_time_units

Horizon = Literal["time-unit", "update"] | None


@dataclass(frozen=True)
class Prediction(Mitigation):
    """Passes compute with predicted weights, those `s` updates later: Ŵ = W − s·η·v.

    `v` is the velocity that produced W; an update changes the true weights.  `horizon="time-unit"`
    is the paper's `s` (forward ⌊k/2⌋+S−k−1, backward ⌊k/2⌋), defined on round-robin alone;
    `"update"` counts the updates to the mini-batch's own, read off the program; unset means the
    paper's where it is defined.  [choice: the default]
    """

    predicts = True
    horizon: Horizon = None

    def check(self, setting: Setting) -> None:
        shape = setting.shape
        if self.horizon == "time-unit" and not has_time_units(setting.schedule, shape):
            bound = "" if shape.in_flight is None else f" and {shape.in_flight} in flight"
            raise ValueError(
                f"the time-unit horizon is defined on round-robin with one micro-batch per "
                f"mini-batch, not on {setting.schedule} with {shape.microbatches}{bound}; "
                'use horizon = "update"'
            )

    def steps_ahead(self, horizon: Any, unit_horizon: int | None) -> Any:
        if self.horizon == "update" or unit_horizon is None:
            return horizon
        return 0 * horizon + unit_horizon

    def predict(self, look: Look) -> Any:
        """The weights of the pass as they are expected to be after the updates ahead of it."""
        steps = self.steps_ahead(look.horizon, look.unit_horizon)
        if not steps:
            return look.weights
        return look.weights - (steps * look.learning_rate) * look.velocity


@mitigation("spectrain", rule="both passes compute with W - s*eta*v, predicted afresh",
            source="Chen et al. 2018 (SpecTrain), equations 4-6")
@dataclass(frozen=True)
class SpecTrain(Prediction):
    """SpecTrain as published: forward and backward each predict from the latest weights."""

    def forward_weights(self, look: Look) -> Any:
        return self.predict(look)

    def backward_weights(self, look: Look) -> Any:
        return self.predict(look)
