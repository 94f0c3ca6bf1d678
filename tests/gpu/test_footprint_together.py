"""Peaks of devices that share one memory: threads of a real run, counted together."""

import pytest

from analysis.validation.memory import predicted_peaks
from gpu.profiling import rises
from gpu.profiling.footprint import block_bytes, optimizer_state
from gpu.profiling.stage_times import quiet
from gpu.runtime.run import run
from tests.gpu.allocator import CopyingLane, Shared, WatchedLane
from tests.gpu.footprints import profile_of, small

PROGRAMS = [
    {"schedule": "round-robin"},
    {"schedule": "sequential", "mitigation": "stash", "optimizer": "adam"},
    {"schedule": "gpipe", "microbatches": 4, "backward": "recompute"},
    {"schedule": "nf1b", "mitigation": "timeprest", "microbatches": 2},
    {"schedule": "interleaved", "stages": 4, "chunks": 2, "microbatches": 2}]
NAMES = [options["schedule"] for options in PROGRAMS]
LIMIT = 0.03
COINCIDENCE = 0.03  # rises that overlap are added up, though they need not be highest at once


def executed(options, lane, block):
    """The trace of a run whose tensors were counted, and the most bytes that its stages held."""
    assembly, allocator = small(minibatches=8, **options), Shared(block)
    before = [tensor for stage in assembly.stages for tensor in (
        stage.weights, stage.model.live, *optimizer_state(stage.optimizer))]
    allocator.count(before)
    size = block_bytes(before)
    del before
    lanes = [lane(f"lane {d}", allocator) for d in range(assembly.program.devices)]
    with quiet():
        trace = run(assembly, lanes, strict=False, evaluate=False)
    return trace, allocator.risen + size


def error(profile, trace, measured):
    """(predicted − measured) / measured of all stages together."""
    guess, = predicted_peaks(trace, profile, [range(trace.shape.stages)])
    return guess / measured - 1


@pytest.mark.parametrize("options", PROGRAMS, ids=NAMES)
def test_threads_that_hand_tensors_over_are_predicted_together(options):
    found = error(profile_of(small(**options)), *executed(options, WatchedLane, 1))
    assert -LIMIT <= found <= LIMIT + COINCIDENCE


@pytest.mark.parametrize("options", PROGRAMS, ids=NAMES)
def test_lanes_of_one_gpu_are_predicted_together(options, monkeypatch):
    """Stood in for by lanes that copy, and by an allocator that hands out whole blocks."""
    monkeypatch.setattr(rises, "gauge", lambda _: Shared(512))
    profile = profile_of(small(**options), placement=("cuda:0",) * options.get("stages", 2))
    found = error(profile, *executed(options, CopyingLane, 512))
    assert -LIMIT <= found <= LIMIT + COINCIDENCE
