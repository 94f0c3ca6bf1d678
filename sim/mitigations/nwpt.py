"""Nesterov look-ahead (NWPT): every pass looks one momentum step ahead."""

from dataclasses import dataclass
from typing import Any

from sim.mitigations import Look, Mitigation, mitigation


@mitigation("nwpt", rule="both passes compute with W - eta*gamma*v, one step ahead",
            source="NWPT (Nesterov weight prediction); [choice] the paper gives the steps, "
                   "not the equation")
@dataclass(frozen=True)
class Nwpt(Mitigation):
    """Both passes compute with weights one momentum step beyond those they read.

    On one stage with heavy-ball momentum this is Nesterov's accelerated gradient.
    """

    predicts = True

    def forward_weights(self, look: Look) -> Any:
        return look.weights - (look.learning_rate * look.momentum) * look.velocity

    def backward_weights(self, look: Look) -> Any:
        return self.forward_weights(look)
