"""Schedules: one file each, a small generator from device and shape to compute instructions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sim.program import Generate, PipelineShape, Program
from sim.registry import Registry


@dataclass(frozen=True)
class Schedule:
    """A named order: `generate(device, shape)` yields instructions, single ones or blocks."""

    name: str
    rule: str
    source: str
    generate: Generate

    def program(self, shape: PipelineShape) -> Program:
        return Program.build(self.generate, shape)


SCHEDULES: Registry[Schedule] = Registry("schedule", "sim.schedules")


def schedule(name: str, *, rule: str, source: str) -> Callable[[Generate], Generate]:
    """Register the decorated generator under `name`."""

    def register(generate: Generate) -> Generate:
        SCHEDULES.register(name, Schedule(name, rule, source, generate))
        return generate

    return register
