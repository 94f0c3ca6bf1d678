"""Zero-bubble orders and DualPipe in every engine, and for ever."""

import pytest

import analysis
import sim
from tests.sim.times.engines import NAMES, assert_equal, times

ORDERS = [("zb-h1", 1), ("zb-h2", 1), ("interleaved-zb", 2), ("zbv", 2), ("v-half", 2),
          ("v-min", 2), ("dualpipev", 2), ("dualpipe", 1)]
EVERY = pytest.mark.parametrize(("name", "chunks"), ORDERS)
HALVES = {"forward_s": 1.0, "backward_s": 2.0, "input_backward_s": 1.25,
          "weight_backward_s": 0.75}
ROUGH = {"overlapped_s": 2.25, "latency_s": 0.3, "boundary_bytes": 10.0,
         "bandwidth_bytes_per_s": 100.0, "jitter": {"sigma": 0.2}}


def keys(name: str, chunks: int, minibatches: int, **more) -> dict:
    return {"schedule": name, "stages": 4 * chunks, "chunks": chunks, "microbatches": 8,
            "minibatches": minibatches, "batch_size": 8, **HALVES, **more}


@EVERY
@pytest.mark.parametrize("more", [
    pytest.param({}, marks=pytest.mark.verify), ROUGH,
    pytest.param({"overlapped_s": 2.5}, marks=pytest.mark.verify)])
def test_engines_agree_to_the_bit(name, chunks, more):
    asked = keys(name, chunks, 4, **more)
    simpy = times("simpy", **asked)
    for engine in NAMES:
        assert_equal(times(engine, **asked), simpy)


@pytest.mark.parametrize(("name", "chunks", "pair"), [
    *((*each, None) for each in ORDERS), ("dualpipev", 2, 2.5), ("dualpipe", 1, 2.5)])
def test_the_period_is_that_of_long_runs(name, chunks, pair):
    asked = {"task": "none", "latency_s": 0.25, "overlapped_s": pair}
    found = analysis.steady(**keys(name, chunks, 12, **asked))
    shorter, longer = (sim.run(**keys(name, chunks, n, **asked)).end_s.max()
                       for n in (12, 20))
    assert found["period_s"] == pytest.approx((longer - shorter) / 8, rel=1e-12)
