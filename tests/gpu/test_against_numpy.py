"""The whole pipeline twice: NumPy stages and torch stages on the digits, every mitigation."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gpu.model.stage_model import TorchStage
from gpu.runtime.stage import watched_stage
from sim.errors import ConfigurationError
from sim.experiment.configuration import resolve
from sim.experiment.learning.learners import as_homes, make_homes
from sim.experiment.run import run
from sim.experiment.setup import Setup, make_stages, make_task
from sim.mitigations import MITIGATIONS
from sim.numerics.homes import round_sums
from sim.numerics.optimizers.momentum_sgd import MomentumSGD
from sim.numerics.rate import LearningRate
from sim.numerics.stage import Copy
from sim.numerics.tasks import Evaluation
from sim.numerics.training import train
from sim.order.check import execution_order
from sim.weights.delays import update_delays
from tests.gpu.test_model import as_torch, mlp

ORDERS = {"round-robin": 1, "nf1b": 3}


def cases():
    for schedule, n in ORDERS.items():
        for mitigation in MITIGATIONS.names():
            for backward in ("graph", "recompute"):
                pipeline = {"schedule": schedule, "mitigation": mitigation, "stages": 3,
                            "microbatches": n, "minibatches": 12, "backward": backward}
                try:
                    experiment = resolve({"pipeline": pipeline,
                                          "training": {"batch_size": 12, "width": 16}})
                    setup = Setup.of(experiment)
                    plan = setup.versions(setup.program)
                except (ConfigurationError, ValueError):
                    continue
                yield pytest.param(setup, plan, id=f"{schedule}-{mitigation}-{backward}")


def torch_stage(number, model, experiment, plan, **options):
    """A NumPy stage's twin: same weights, same rules, torch's mathematics."""
    twin = TorchStage(mlp(model), first=model.first,
                      recompute=experiment.pipeline.backward == "recompute")
    twin.live.copy_(as_torch(model, make_task(experiment).weights[number]))
    return watched_stage(number, twin, MomentumSGD(0.9, "ema", torch.zeros_like(twin.live)), plan,
                         LearningRate(0.05), unit_horizons=plan.unit_horizons(number), **options)


@pytest.mark.parametrize(("setup", "plan"), list(cases()))
def test_weights_agree(setup, plan):
    agree(setup, plan)


@pytest.mark.parametrize("parameters", [{"concurrency": 1}, {"concurrency": 1, "smoothness": 3.0}])
def test_weights_agree_where_late_updates_are_slowed(parameters):
    """In an order recorded under greedy dispatch, where stages run ahead."""
    keys = {"stages": 3, "minibatches": 24, "mitigation": {"name": "delay-adaptive", **parameters}}
    training = {"batch_size": 12, "width": 16}
    recorded = run(resolve({"pipeline": {**keys, "dispatch": "greedy"}, "training": training,
                            "costs": {"jitter": {"sigma": 1.0}}}), training=False).program()
    setup = Setup.of(resolve({"pipeline": keys, "training": training}), recorded)
    plan = setup.versions(recorded)
    assert sum(int((update_delays(plan, k) > parameters["concurrency"]).sum())
               for k in range(3)) >= 3
    agree(setup, plan)


def agree(setup, plan):
    task = make_task(setup.experiment)
    numpy_stages = make_stages(setup, plan, task)
    torch_stages = [torch_stage(k, model, setup.experiment, plan)
                    for k, model in enumerate(task.models)]
    learn_alike(plan.program, task, numpy_stages, torch_stages, lambda stage: stage.weights)


def learn_alike(program, task, numpy_stages, torch_stages, weights):
    torch_task = SimpleNamespace(
        inputs=lambda i: torch.from_numpy(task.inputs(i)),
        target=lambda i: torch.from_numpy(task.target(i)), evaluate=lambda _: Evaluation(0.0))
    order = execution_order(program)
    ours = train(order, numpy_stages, task, program)
    theirs = train(order, torch_stages, torch_task, program)
    for k, model in enumerate(task.models):
        wanted = as_torch(model, weights(numpy_stages[k]))
        assert (wanted - as_torch(model, task.weights[k])).abs().max() > 1e-3
        assert (weights(torch_stages[k]) - wanted).abs().max() <= 1e-10
    assert np.abs(ours.loss - theirs.loss).max() <= 1e-10


@pytest.mark.parametrize(("pipeline", "rule"), [
    ({"schedule": "hybrid", "stages": 3, "replicas": [2, 1, 1], "mitigation": "stash"},
     "all-reduce"),
    ({"schedule": "chimera", "stages": 2, "microbatches": 2}, "all-reduce"),
    ({"schedule": "chimera", "stages": 2, "microbatches": 2}, "apart")])
def test_weights_of_copies_agree(pipeline, rule):
    experiment = resolve({"pipeline": {"minibatches": 8, **pipeline}, "workers": {"copies": rule},
                          "training": {"batch_size": 12, "width": 16}})
    setup = Setup.of(experiment)
    plan = setup.versions(setup.program)
    task, copies, sums = make_task(experiment), plan.program.copies, round_sums(plan, rule)
    numpy_homes = make_homes(setup, plan, task)
    twins = [torch_stage(int(k), task.models[k], experiment, plan,
                         copy=Copy(number, copies.does(number).tolist(), sums[number]))
             for number, k in enumerate(copies.stage)]
    torch_homes = as_homes(plan, rule, twins, sums)
    learn_alike(setup.program, task, numpy_homes, torch_homes, lambda home: home.learnt)
