"""Which mitigations run on which schedule, as the configuration answers."""

from __future__ import annotations

from typing import Any

from sim.errors import ConfigurationError
from sim.mitigations import MITIGATIONS
from sim.schedules import SCHEDULES
from tests.sim.experiments import experiment


def accepted(schedule: str, mitigation: Any, stages: int = 1, microbatches: int = 1) -> bool:
    try:
        experiment(schedule=schedule, mitigation=mitigation, stages=stages,
                   microbatches=microbatches, task="none")
    except ConfigurationError:
        return False
    return True


def running(stages: int, microbatches: int, schedules: list[str] | None = None
            ) -> list[tuple[str, str]]:
    """Pairs (schedule, mitigation) that are not refused at these sizes."""
    return [(schedule, mitigation)
            for schedule in schedules or SCHEDULES.names() for mitigation in MITIGATIONS.names()
            if accepted(schedule, mitigation, stages, microbatches)]
