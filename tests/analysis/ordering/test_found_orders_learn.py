"""Found orders run and learn like any other: flushed ones as one device does."""

from __future__ import annotations

import numpy as np

from analysis.ordering.asked.answer import answer
from analysis.ordering.problem import OrderProblem
from sim.experiment.program_file import with_program
from sim.experiment.run import run
from tests.sim.experiments import experiment, history, same_weights

RUN = {"task": "digits-mlp", "width": 6, "batch_size": 8, "minibatches": 5, "stages": 3,
       "microbatches": 4, "learning_rate": 0.1}
UNEVEN = {"forward_s": [1.0, 1.75, 0.5], "backward_s": [2.0, 2.5, 3.25],
          "input_backward_s": [0.75, 1.5, 1.25], "weight_backward_s": [1.25, 1.0, 2.0],
          "latency_s": [0.5, 0.25]}


def test_a_flushed_order_learns_what_one_device_does() -> None:
    found = answer(OrderProblem.of(experiment(**RUN, **UNEVEN)), rounds=500)
    given, program = with_program(experiment(**RUN, **UNEVEN), found.program)
    assert program.shape.minibatches == RUN["minibatches"]
    trace = run(given, program)
    assert np.all(trace.staleness == 0)
    assert trace.end_s.max() == RUN["minibatches"] * found.told["makespan_s"]
    _, weights = history(program, **{**RUN, "schedule": "file", "chunks": 1}, **UNEVEN)
    _, alone = history(**RUN, schedule="sequential")
    assert same_weights(weights, alone)


def test_an_order_without_a_flush_is_learnt_through_no_staler_than_asked_for() -> None:
    keys = {**RUN, **UNEVEN, "mitigation": "stash", "minibatches": 40}
    found = answer(OrderProblem.of(experiment(**keys), max_staleness=2), rounds=200,
                   minibatches=40)
    trace = run(experiment(**{**keys, "schedule": "file"}), found.program)
    assert trace.staleness.max() == found.told["staleness"]["max"] <= 2
    assert trace.header.training is not None
    losses = trace.curves["minibatch_loss"]
    assert losses[-8:].mean() < losses[:8].mean()
