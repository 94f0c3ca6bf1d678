"""Random programs, stages on any devices in any order that can run, learn as their rule says."""

from __future__ import annotations

import random
from typing import Any

import pytest

from sim.experiment.run import run
from sim.experiment.setup import make_task
from sim.order.program import Program
from sim.order.shape import PipelineShape
from tests.oracles.copies_training import Walk, streams_of
from tests.sim.experiments import experiment

Step = tuple[Any, ...]  # operation, stage, micro-batch; of an update its mini-batch, and its device


def drawn(rng: random.Random) -> tuple[str, PipelineShape]:
    """A program's text and shape: every micro-batch of a stage on one of its homes."""
    stages, n, minibatches = rng.randint(1, 4), rng.randint(1, 4), rng.randint(1, 3)
    last, devices = rng.choice([None, rng.randint(1, n)]), rng.randint(1, 5)
    total = (minibatches - 1) * n + (last or n)
    where = {}
    for k in range(stages):
        homes = rng.sample(range(devices), rng.randint(1, min(3, devices)))
        where |= {(k, m): rng.choice(homes) for m in range(total)}
    streams: list[list[str]] = [[] for _ in range(devices)]
    for op, k, m, *at in in_some_order(needs(where, stages, total, n), rng):
        if op == "U":
            end = min(m * n + n, total) - 1
            cell = f"{k}U{m * n}" + (f"-{end}" if end > m * n else "")
        else:
            cell = f"{k}{op}{m}"
        streams[at[0] if at else where[k, m]].append(cell)
    used = [stream for stream in streams if stream]
    return "\n".join(map(",".join, used)), PipelineShape(
        stages, minibatches, n, ranks=len(used), last_microbatches=last)


def needs(where: dict[tuple[int, int], int], stages: int, total: int, n: int
          ) -> dict[Step, list[Step]]:
    """What every step waits for, the copies of a stage for each other's gradients too."""
    found: dict[Step, list[Step]] = {}
    for k in range(stages):
        rounds: dict[int, list[Step]] = {}
        for m in range(total):
            found["F", k, m] = [("F", k - 1, m)] if k else []
            found["B", k, m] = [("F", k, m), *([("B", k + 1, m)] if k + 1 < stages else [])]
        for device in sorted({where[k, m] for m in range(total)}):
            mine = [m for m in range(total) if where[k, m] == device]
            before: list[Step] = []
            for number, minibatch in enumerate(sorted({m // n for m in mine})):
                update = ("U", k, minibatch, device)
                found[update], before = before, [update]
                rounds.setdefault(number, []).extend(
                    ("B", k, m) for m in mine if m // n == minibatch)
                found[update] = [*found[update], ("round", k, number)]
        for number, backwards in rounds.items():
            found["round", k, number] = backwards
    return found


def in_some_order(waiting: dict[Step, list[Step]], rng: random.Random) -> list[Step]:
    """The steps in a random order in which each comes after what it waits for; forwards first."""
    done: set[Step] = set()
    order: list[Step] = []
    while len(done) < len(waiting):
        ready = [step for step, those in waiting.items()
                 if step not in done and done.issuperset(those)]
        (step,) = rng.choices(ready, [3 if each[0] == "F" else 1 for each in ready])
        done.add(step)
        if step[0] != "round":
            order.append(step)
    return order


@pytest.mark.parametrize("seeds", [range(30), pytest.param(range(30, 1000),
                                                           marks=pytest.mark.verify)])
def test_any_program_learns_as_devices_that_know_nothing_of_versions(seeds):
    several = 0
    for seed in seeds:
        rng = random.Random(seed)
        text, shape = drawn(rng)
        copies, mitigation = rng.choice(["all-reduce", "apart"]), rng.choice(["none", "stash"])
        program = Program.parse(text, shape)
        keys = {"task": "digits-mlp", "width": 4, "layers": 4, "learning_rate": 0.1,
                "momentum": 0.9, "convention": "heavy-ball", "batch_size": 2 * shape.microbatches,
                "schedule": "file", "mitigation": mitigation, "copies": copies,
                **{key: value for key, value in shape.as_dict().items() if key != "chunks"}}
        asked = experiment(**keys, evaluate_every=1)
        trace, task = run(asked, program), make_task(asked)
        sizes = [shape.size_of(number) for number in range(shape.minibatches)]
        walk = Walk(task, streams_of(text), sizes, shape.microbatches, rate=0.1, momentum=0.9,
                    stash=mitigation == "stash", apart=copies == "apart").go()
        assert trace.curves["minibatch_loss"].tolist() == walk.losses, seed
        assert trace.curves["evaluated_minibatch"].tolist() == list(
            range(1, shape.minibatches + 1)), seed
        several += program.several
    assert several > len(seeds) / 3
