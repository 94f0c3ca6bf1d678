"""What hypothesis draws: shapes, programs, instructions, costs and links."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from sim.kernels.pairs import NUMPY, Kernels
from sim.op import Op
from sim.order.columns import Instructions
from sim.order.instruction import Instruction
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES, Schedule
from tests.sim.fitting import ONE_HOME, PLAIN, fitted

names = st.sampled_from(PLAIN)


@st.composite
def shapes(draw: Any, stages: int = 5, minibatches: int = 6,
           microbatches: tuple[int, ...] = (1, 2, 3, 4)) -> PipelineShape:
    return PipelineShape(draw(st.integers(1, stages)), draw(st.integers(1, minibatches)),
                         draw(st.sampled_from(microbatches)))


instructions = st.builds(
    Instruction, st.integers(0, 10_000), st.sampled_from(Op), st.integers(0, 10_000),
    st.integers(1, 500))

dyadic = st.integers(1, 64).map(lambda eighths: eighths / 8)
seconds = st.floats(1e-6, 10.0)


@st.composite
def timings(draw: Any, stages: int) -> dict[str, Any]:
    """Costs per stage, latency in either reading, bandwidth, message sizes and jitter."""
    def one_each(values: Any) -> list[float]:
        return draw(st.lists(values, min_size=stages, max_size=stages))

    keys: dict[str, Any] = {
        "forward_s": one_each(seconds), "backward_s": one_each(seconds),
        "update_s": one_each(st.floats(0.0, 1.0)),
        "latency_s": draw(st.sampled_from([0.0, 0.3, 2.7])),
        "latency": draw(st.sampled_from(["pipelined", "held"])),
        "boundary_bytes": draw(st.sampled_from([0.0, 1.0, 1000.0])),
        "bandwidth_bytes_per_s": draw(st.sampled_from([None, 100.0, 777.7])),
        "seed": draw(st.integers(0, 5)),
    }
    if draw(st.booleans()):
        keys["jitter"] = {"sigma": draw(st.floats(0.01, 1.0))}
    return keys


@st.composite
def unlike(draw: Any, shape: PipelineShape) -> dict[str, Any]:
    """What makes micro-batches, devices, boundaries or halves unlike each other, or nothing."""
    def some(key: str, values: list[float], size: int) -> dict[str, Any]:
        drawn = st.lists(st.sampled_from(values), min_size=size, max_size=size)
        return {key: draw(drawn)} if draw(st.booleans()) else {}

    return (some("microbatch_scale", [1.0, 4.0, 0.3], draw(st.integers(1, shape.microbatches)))
            | some("device_factor", [1.0, 1.7, 0.5], shape.worker_devices)
            | some("latency_s", [0.0, 0.3, 2.7], shape.stages - 1)
            | some("bandwidth_bytes_per_s", [100.0, 777.7, 1e6], shape.stages - 1)
            | some("input_backward_s", [0.0, 0.7], shape.stages))


@st.composite
def placed(draw: Any, among: tuple[str, ...] = ONE_HOME, workers: int = 3
           ) -> tuple[Schedule, PipelineShape]:
    """A schedule and a shape it accepts: chunks, workers and micro-batches among them."""
    schedule = SCHEDULES[draw(st.sampled_from(among))]
    chunks = draw(st.integers(1, 3)) if schedule.chunks else 1
    count = 1 if schedule.homes > 1 else draw(st.integers(1, workers))
    return schedule, fitted(schedule.name, PipelineShape(
        chunks * draw(st.integers(1, 4)), count * draw(st.integers(1, 5)), draw(st.integers(1, 4)),
        chunks, count))


def halved(program: Program, kernels: Kernels = NUMPY) -> Program:
    """Backwards in their two halves, the updates left to be put in."""
    streams = [[half for each in program.stream(d) if each.op is not Op.U
                for half in ([replace(each, op=Op.I), replace(each, op=Op.W)]
                             if each.op is Op.B else [each])] for d in range(program.devices)]
    return Program.from_streams(program.shape, streams, kernels)


def made(case: tuple[Schedule, PipelineShape], form: str, kernels: Kernels = NUMPY) -> Program:
    """The case's program as it is, with halved backwards or with its messages."""
    schedule, shape = case
    program = schedule.program(shape, kernels)
    if form == "halved":
        return halved(program, kernels)
    return program.lower(kernels) if form == "lowered" else program


def spoilt(program: Program, data: Any) -> Instructions:
    """A program's columns with a slip or two in them, anywhere."""
    columns = [column.copy() for column in program.rows]
    for _ in range(data.draw(st.integers(1, 2))):
        column = columns[data.draw(st.integers(0, 3))]
        low = 1 if column is columns[3] else 0
        column[data.draw(st.integers(0, len(program) - 1))] = data.draw(
            st.integers(low, 8 if column is columns[0] else program.shape.total + 2))
    return Instructions(*columns)
