"""The whole pipeline twice: NumPy stages and torch stages on the digits, every mitigation."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from gpu.model.stage_model import TorchStage
from gpu.runtime.stage import watched_stage
from sim.errors import ConfigurationError
from sim.experiment.configuration import make_mitigation, resolve
from sim.experiment.setup import make_stages, make_task
from sim.mitigations import MITIGATIONS
from sim.numerics.optimizers.momentum_sgd import MomentumSGD
from sim.numerics.rate import LearningRate
from sim.numerics.tasks import Evaluation
from sim.numerics.training import train
from sim.order.check import execution_order
from sim.schedules import SCHEDULES
from sim.weights.versions import VersionPlan
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
                    program = SCHEDULES[schedule].program(experiment.shape)
                    plan = VersionPlan.of(program, make_mitigation(mitigation), schedule)
                except (ConfigurationError, ValueError):
                    continue
                yield pytest.param(experiment, plan, id=f"{schedule}-{mitigation}-{backward}")


def torch_stage(number, model, experiment, plan):
    """A NumPy stage's twin: same weights, same rules, torch's mathematics."""
    twin = TorchStage(mlp(model), first=model.first,
                      recompute=experiment.pipeline.backward == "recompute")
    twin.live.copy_(as_torch(model, make_task(experiment).weights[number]))
    return watched_stage(number, twin, MomentumSGD(0.9, "ema", torch.zeros_like(twin.live)), plan,
                         LearningRate(0.05), unit_horizons=plan.unit_horizons(number))


@pytest.mark.parametrize(("experiment", "plan"), list(cases()))
def test_weights_agree(experiment, plan):
    task = make_task(experiment)
    numpy_stages = make_stages(experiment, plan, task)
    torch_stages = [torch_stage(k, model, experiment, plan)
                    for k, model in enumerate(task.models)]
    torch_task = SimpleNamespace(
        inputs=lambda i: torch.from_numpy(task.inputs(i)),
        target=lambda i: torch.from_numpy(task.target(i)), evaluate=lambda _: Evaluation(0.0))
    order = execution_order(plan.program)
    ours = train(order, numpy_stages, task, plan.program)
    theirs = train(order, torch_stages, torch_task, plan.program)
    for k, model in enumerate(task.models):
        wanted = as_torch(model, numpy_stages[k].weights)
        assert (wanted - as_torch(model, task.weights[k])).abs().max() > 1e-3
        assert (torch_stages[k].weights - wanted).abs().max() <= 1e-10
    assert np.abs(ours.loss - theirs.loss).max() <= 1e-10
