"""The W4–W6 timeline and SpecTrain's horizons, from simulated times and updates."""

import math

import pytest

from sim.op import Op
from sim.order.time_units import time_unit, unit_horizon
from tests.sim.experiments import TIMES, by_pass, simulate

# mini-batch 4 of three stages: half-slot, time unit, base version, horizon, updates seen
FIGURE = [
    (0, Op.F, 8, 4, 4, 2, 1),
    (1, Op.F, 9, 5, 5, 1, 2),
    (2, Op.F, 10, 5, 5, 1, 3),
    (2, Op.B, 11, 5, 5, 1, 3),
    (1, Op.B, 12, 6, 6, 0, 3),
    (0, Op.B, 13, 6, 6, 0, 3),
]
ROW = pytest.mark.parametrize(("stage", "op", "half_slot", "unit", "base", "horizon", "seen"),
                              FIGURE)
MINIBATCH = 4


@pytest.fixture(scope="module")
def default():
    return simulate(task="none")


@ROW
def test_mini_batch_4_runs_in_the_figures_half_slot(default, stage, op, half_slot, unit, base,
                                                    horizon, seen):
    assert by_pass(default, "start_s", op)[stage, MINIBATCH - 1] + 2 == half_slot


@ROW
def test_mini_batch_4_has_the_figures_labels(stage, op, half_slot, unit, base, horizon, seen):
    assert time_unit(op, MINIBATCH, stage, 3) == unit == base
    assert unit_horizon(op, stage, 3) == horizon
    assert base + horizon == 6


@ROW
def test_mini_batch_4_reads_the_updates_the_table_says(default, stage, op, half_slot, unit, base,
                                                       horizon, seen):
    assert by_pass(default, "version_read", op)[stage, MINIBATCH - 1] == seen
    assert by_pass(default, "staleness", op)[stage, MINIBATCH - 1] == MINIBATCH - 1 - seen


def test_a_single_gpu_uses_its_own_number_and_makes_the_next():
    for minibatch in range(1, 6):
        assert time_unit(Op.F, minibatch, 0, 1) == time_unit(Op.B, minibatch, 0, 1) == minibatch
    assert unit_horizon(Op.F, 0, 1) == unit_horizon(Op.B, 0, 1) == 0


class Pipeline:
    """The simulated round robin of S stages, its times in half-slots and its updates in order."""

    def __init__(self, stages: int) -> None:
        self.stages, self.minibatches = stages, 4 * stages + 4
        self.trace = simulate(schedule="round-robin", stages=stages,
                              minibatches=self.minibatches, **TIMES)
        self.start = {op: by_pass(self.trace, "start_s", op) + 2 for op in (Op.F, Op.B)}
        self.updated = by_pass(self.trace, "end_s", Op.U) + 2

    @property
    def steady(self) -> range:
        """Mini-batches far from the ends, from 1."""
        return range(self.stages + 1, self.minibatches - 2 * self.stages)

    def half_slot(self, op: Op, minibatch: int, stage: int) -> float:
        return self.start[op][stage, minibatch - 1]

    def updates_at(self, half_slot: float, stage: int) -> int:
        return int((self.updated[stage] <= half_slot).sum())

    def unit_starts(self, stage: int) -> dict[int, float]:
        """Unit to the half-slot at which its pair (a forward, then a backward) starts."""
        return {math.ceil(h / 2): h for h in self.start[Op.F][stage]}

    def unit(self, op: Op, minibatch: int, stage: int) -> int:
        """The unit of a pass, from the pair it belongs to."""
        here = self.half_slot(op, minibatch, stage)
        return math.ceil((here if op is Op.F else here - 1) / 2)


STAGES = range(1, 17)


@pytest.fixture(scope="module")
def pipelines():
    return {stages: Pipeline(stages) for stages in STAGES}


@pytest.mark.parametrize("stages", STAGES)
def test_half_slots_of_the_steady_pipeline(pipelines, stages):
    pipeline = pipelines[stages]
    for stage in range(stages):
        for i in pipeline.steady:
            assert pipeline.half_slot(Op.F, i, stage) == 2 * i + stage
            assert pipeline.half_slot(Op.B, i, stage) == 2 * i + 2 * stages - 1 - stage


@pytest.mark.parametrize("stages", STAGES)
def test_a_backward_follows_the_forward_of_its_unit_without_a_pause(pipelines, stages):
    pipeline = pipelines[stages]
    for stage in range(stages):
        forwards = set(pipeline.start[Op.F][stage])
        for i in pipeline.steady:
            assert pipeline.half_slot(Op.B, i, stage) - 1 in forwards


@pytest.mark.parametrize("stages", STAGES)
def test_time_units_are_those_of_the_simulated_pairs(pipelines, stages):
    pipeline = pipelines[stages]
    for stage in range(stages):
        for i in pipeline.steady:
            forward, backward = (pipeline.unit(op, i, stage) for op in (Op.F, Op.B))
            assert forward == i + math.ceil(stage / 2) == time_unit(Op.F, i, stage, stages)
            assert backward == i + stages - 1 - stage // 2 == time_unit(Op.B, i, stage, stages)


@pytest.mark.parametrize("stages", STAGES)
def test_the_papers_horizon_counts_updates_to_the_start_of_the_target_unit(pipelines, stages):
    pipeline = pipelines[stages]
    for stage in range(stages):
        starts = pipeline.unit_starts(stage)
        for i in pipeline.steady:
            target = pipeline.updates_at(starts[i + stages - 1], stage)
            assert target == i - 1 + stage // 2
            for op, closed in ((Op.F, stage // 2 + stages - stage - 1), (Op.B, stage // 2)):
                now = pipeline.updates_at(pipeline.half_slot(op, i, stage), stage)
                assert target - now == closed == unit_horizon(op, stage, stages)


@pytest.mark.parametrize("stages", STAGES)
def test_the_update_horizon_counts_updates_to_the_mini_batchs_own(pipelines, stages):
    from sim.mitigations.none import Nothing
    from sim.weights.versions import VersionPlan

    pipeline = pipelines[stages]
    plan = VersionPlan.of(pipeline.trace.program(), Nothing())
    for stage in range(stages):
        for i in pipeline.steady:
            for op, horizon, closed in ((Op.F, plan.forward_horizon, stages - stage - 1),
                                        (Op.B, plan.backward_horizon, 0)):
                now = pipeline.updates_at(pipeline.half_slot(op, i, stage), stage)
                assert horizon[stage, i - 1] == (i - 1) - now == closed


@pytest.mark.parametrize("name", ["stash", "vertical-sync", "i-timeprest"])
def test_update_horizons_are_the_programs_and_not_the_mitigations(name):
    from sim.mitigations import MITIGATIONS
    from sim.weights.versions import VersionPlan
    from tests.sim.experiments import schedule_program

    program = schedule_program("round-robin", 4, 12)
    plain, other = (VersionPlan.of(program, MITIGATIONS[each]()) for each in ("none", name))
    assert plain.forward_horizon.tolist() == other.forward_horizon.tolist()
    assert plain.backward_horizon.tolist() == other.backward_horizon.tolist()


@pytest.mark.parametrize(("schedule", "microbatches"), [("gpipe", 4), ("1f1b", 4),
                                                        ("sequential", 1)])
def test_update_horizons_of_a_flushing_schedule_are_zero(schedule, microbatches):
    from sim.mitigations.none import Nothing
    from sim.weights.versions import VersionPlan
    from tests.sim.experiments import schedule_program

    plan = VersionPlan.of(schedule_program(schedule, 4, 5, microbatches), Nothing())
    assert not plan.forward_horizon.any()
    assert not plan.backward_horizon.any()
