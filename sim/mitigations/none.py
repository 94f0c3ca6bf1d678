"""Vanilla asynchronous training: every pass reads whatever is newest."""

from dataclasses import dataclass

from sim.mitigations import Mitigation, mitigation


@mitigation("none", rule="forward and backward read the latest weights",
            source="vanilla asynchronous pipeline; Chen et al. 2018 (SpecTrain), section 2")
@dataclass(frozen=True)
class Nothing(Mitigation):
    """No mitigation: a backward mixes its forward's activations with newer weights."""
