"""Systems that are stage programs run on the torch backend; those of several workers say no."""

import numpy as np
import pytest

from gpu.runtime.assembly import assemble
from gpu.runtime.run import run
from gpu.runtime.settings import RunSettings
from sim.errors import ConfigurationError
from sim.experiment.configuration import resolve
from sim.experiment.run import run as simulate
from sim.experiment.systems import SYSTEMS
from tests.gpu.conftest import cpu_assembly, cpu_lanes

BASE = resolve({"pipeline": {"stages": 2, "minibatches": 4}, "training": {"batch_size": 4}})


def document(name):
    return BASE.changed(SYSTEMS[name].changes(BASE)).document()


STAGE_PROGRAMS = [name for name in SYSTEMS.names()
                  if document(name).get("workers", {}).get("count", 1) == 1]


def test_all_but_those_of_several_workers_are_stage_programs():
    assert set(SYSTEMS.names()) - set(STAGE_PROGRAMS) == {
        "data-parallel", "data-parallel-scaled", "data-parallel-strong", "hetpipe", "bmuf"}


@pytest.mark.parametrize("name", STAGE_PROGRAMS)
def test_a_system_runs_on_torch_with_the_versions_it_is_known_for(name):
    pipeline = document(name)["pipeline"]
    assembly = cpu_assembly(**pipeline)
    trace = run(assembly, cpu_lanes(assembly.program.devices), evaluate=False)
    predicted = simulate(resolve(document(name) | {"training": {"task": "none", "batch_size": 4}}))
    for column in ("op", "stage", "index", "device", "version_read", "version_applied"):
        assert np.array_equal(getattr(trace, column), getattr(predicted, column)), column
    assert np.isfinite(trace.curves["minibatch_loss"]).all()


def test_several_workers_are_refused_on_torch():
    experiment = resolve({"workers": {"count": 2}})
    with pytest.raises(ConfigurationError, match=r"workers\.count: the torch backend runs one"):
        assemble(experiment, RunSettings(), [])
    experiment = resolve({"workers": {"combine": "block-momentum"}})
    with pytest.raises(ConfigurationError, match=r"workers\.combine: the torch backend exchanges"):
        assemble(experiment, RunSettings(), [])
