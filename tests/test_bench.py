"""The bench compares programs that do the same work, and memory is what it says."""

from __future__ import annotations

import pytest

from sim.kernels.pairs import installed
from tests.bench.bare import CallbackLink, ProcessLink, bare
from tests.bench.dry_run import dry_run
from tests.bench.engines import JITTER, LANES, recorded, replicas, times_alone
from tests.bench.growth import extra_bytes_per_task
from tests.bench.measure import Ratio, same

SIZES = {"stages": 4, "minibatches": 60}


def test_bare_models_and_every_engine_end_at_the_same_moment():
    ends = {link.__name__: bare(SIZES, link)() for link in (ProcessLink, CallbackLink)}
    ends |= {engine: recorded(SIZES, engine)() for engine in ("simpy", "exact-periodic")}
    ends["replicas"] = replicas(SIZES, False)()
    if installed():
        ends["alone"] = times_alone(SIZES)()
    assert len(set(ends.values())) == 1


@pytest.mark.skipif(not installed(), reason="numba (the extra `fast`) is not installed")
def test_the_last_of_the_jittered_replicas_is_the_single_run():
    assert LANES == 256
    assert replicas(SIZES, True)() == recorded(SIZES, "simpy", **JITTER)()


def test_pytorchs_dry_run_executes_what_our_lowered_program_holds():
    rival = dry_run(SIZES)
    if rival is None:
        pytest.skip("torch is not installed")
    forwards_and_backwards = 2 * SIZES["stages"] * SIZES["minibatches"]
    messages = 2 * 2 * (SIZES["stages"] - 1) * SIZES["minibatches"]
    assert rival() == forwards_and_backwards + messages


def test_programs_that_differ_are_not_compared():
    with pytest.raises(SystemExit, match="different work"):
        same({"one": 1.0, "other": 1.5}, 1e-9)


def test_a_ratio_is_that_of_the_medians():
    ratio = Ratio("r", [1.0, 9.0, 4.0], [2.0, 1.0, 30.0], "s", 2.0, True)
    assert (ratio.value, ratio.meets) == (2.0, True)


def test_a_run_allocates_little_beyond_its_trace():
    assert extra_bytes_per_task({"stages": 16, "minibatches": 4000}).value <= 32
