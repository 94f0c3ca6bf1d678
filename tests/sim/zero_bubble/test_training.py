"""Flushed, whatever is put off or paired: nothing is stale, and training is `sequential`'s."""

import numpy as np
import pytest

from tests.sim.experiments import TINY, by_pass, history, same_weights
from tests.sim.zero_bubble.timed import CHUNKED

ORDERS = [("zb-h1", 4, 1), ("zb-h2", 4, 1), ("interleaved-zb", 4, 2),
          *((name, 4, 2) for name in CHUNKED), ("dualpipe", 2, 1)]


@pytest.mark.parametrize(("name", "stages", "chunks"), ORDERS)
def test_training_is_that_of_the_whole_mini_batch_bit_for_bit(name, stages, chunks):
    keys = {**TINY, "stages": stages, "microbatches": 4, "minibatches": 3, "momentum": 0.9}
    trace, weights = history(**keys, schedule=name, chunks=chunks)
    _, sequential = history(**keys, schedule="sequential")
    assert same_weights(weights, sequential)
    assert np.all(trace.staleness == 0)
    assert np.all(by_pass(trace, "version_read") == np.arange(12) // 4)
