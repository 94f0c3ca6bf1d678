"""Peaks of devices that share one memory: threads of a real run, counted together."""

import pytest

from analysis.validation.memory import predicted_peaks
from gpu.profiling import rises
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


def executed(options, lane, allocator):
    """The trace of a run whose tensors the allocator counted, and the run's assembly."""
    assembly = small(minibatches=8, **options)
    allocator.holds(assembly.stages)
    lanes = [lane(f"lane {d}", allocator) for d in range(assembly.program.devices)]
    return run(assembly, lanes, strict=False, evaluate=False), assembly


@pytest.mark.parametrize("options", PROGRAMS, ids=NAMES)
def test_threads_that_hand_tensors_over_are_predicted_together(options):
    trace, assembly = executed(options, WatchedLane, allocator := Shared())
    profile = profile_of(small(**options))
    guess, = predicted_peaks(trace, profile, [range(len(assembly.stages))])
    assert -LIMIT <= guess / allocator.peak - 1 <= LIMIT + COINCIDENCE


@pytest.mark.parametrize("options", PROGRAMS, ids=NAMES)
def test_lanes_of_one_gpu_are_predicted_together(options, monkeypatch):
    """Stood in for by lanes that copy, and by an allocator that hands out whole blocks."""
    monkeypatch.setattr(rises, "gauge", lambda _: Shared(512))
    trace, assembly = executed(options, CopyingLane, allocator := Shared(512))
    profile = profile_of(small(**options), placement=("cuda:0",) * len(assembly.stages))
    guess, = predicted_peaks(trace, profile, [range(len(assembly.stages))])
    assert -LIMIT <= guess / allocator.peak - 1 <= LIMIT + COINCIDENCE
