"""SpecTrain's later variant: the backward reuses the forward's prediction."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from sim.mitigations import Look, Reads, mitigation
from sim.mitigations.spectrain import Horizon, Prediction


@mitigation("spectrain-stashed", rule="forward predicts W - s*eta*v, backward reuses that copy",
            source="SpecTrain authors' later code, s = S-k-1")
@dataclass(frozen=True)
class SpecTrainStashed(Prediction):
    """A backward uses the weights its forward predicted, so that a stage is consistent.

    It keeps one predicted copy of the weights per mini-batch in flight.
    """

    stash: ClassVar[Literal["version", "prediction"]] = "prediction"
    keeps_forward = True
    horizon: Horizon = "update"

    def backward_version(self, reads: Reads) -> Any:
        return reads.forward

    def forward_weights(self, look: Look) -> Any:
        return self.predict(look)

    def backward_weights(self, look: Look) -> Any:
        return look.used
