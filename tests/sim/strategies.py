"""What hypothesis draws: shapes, instructions, costs and links."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from sim.op import Op
from sim.order.instruction import Instruction
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES

names = st.sampled_from(SCHEDULES.names())


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
    """Costs per stage, latency, bandwidth, message sizes and jitter."""
    def one_each(values: Any) -> list[float]:
        return draw(st.lists(values, min_size=stages, max_size=stages))

    keys: dict[str, Any] = {
        "forward_s": one_each(seconds), "backward_s": one_each(seconds),
        "update_s": one_each(st.floats(0.0, 1.0)),
        "latency_s": draw(st.sampled_from([0.0, 0.3, 2.7])),
        "boundary_bytes": draw(st.sampled_from([0.0, 1.0, 1000.0])),
        "bandwidth_bytes_per_s": draw(st.sampled_from([None, 100.0, 777.7])),
        "seed": draw(st.integers(0, 5)),
    }
    if draw(st.booleans()):
        keys["jitter"] = {"sigma": draw(st.floats(0.01, 1.0))}
    return keys
