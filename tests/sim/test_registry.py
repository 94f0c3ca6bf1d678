"""Adding a schedule, a mitigation or an optimizer is adding one file."""

import subprocess
import sys

import pytest

from sim.registry import Registry
from sim.schedules import SCHEDULES
from tests.toys import MITIGATION, SCHEDULE

OPTIMIZER = '''
"""Steps of one size."""
from dataclasses import dataclass
from typing import Any
from sim.numerics.optimizers import OptimizerKind, optimizer

@dataclass
class Signs:
    size: float
    velocity: Any
    momentum: float = 0.0

    def step(self, weights, gradient, learning_rate):
        self.velocity = self.size * ((gradient > 0) * 1.0 - (gradient < 0) * 1.0)
        return weights - learning_rate * self.velocity

@optimizer("toy-signs", rule="the sign of the gradient", source="this test")
@dataclass(frozen=True)
class SignsKind(OptimizerKind):
    size: float = 1.0

    def start(self, momentum, convention, zero):
        return Signs(self.size, zero)
'''
USE = """
import sys
import sim.schedules, sim.mitigations, sim.numerics.optimizers
sim.numerics.optimizers.__path__.append(sys.argv[3])
sim.schedules.__path__.append(sys.argv[1])
sim.mitigations.__path__.append(sys.argv[2])
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.experiment.setup import make_task
from sim.mitigations import MITIGATIONS
from sim.schedules import SCHEDULES

assert "toy-stack" in SCHEDULES.names() and "gpipe" in SCHEDULES.names()
assert "toy-shrink" in MITIGATIONS.names() and "stash" in MITIGATIONS.names()

def weights(rate, mitigation, optimizer="momentum"):
    found = {}
    experiment = resolve({
        "pipeline": {"schedule": "toy-stack", "stages": 2, "minibatches": 3, "microbatches": 4,
                     "mitigation": mitigation},
        "training": {"task": "quadratic", "momentum": 0.0, "learning_rate": rate,
                     "optimizer": optimizer}})
    trace = run(experiment, watch=lambda k, v, w: found.update({(k, v): w.tolist()}))
    return trace, found

trace, shrunk = weights(0.2, {"name": "toy-shrink", "factor": 0.25})
assert trace.header.mitigation == "toy-shrink(factor=0.25)"
assert shrunk == weights(0.05, "none")[1]
first = [str(trace.instruction(row)) for row in range(9)]
assert first == ["0F0", "0F1", "0F2", "0F3", "0B3", "0B2", "0B1", "0B0", "0U0-3"], first
try:
    resolve({"pipeline": {"mitigation": {"name": "toy-shrink", "fctor": 1.0}}})
except ValueError as error:
    assert "it takes: factor" in str(error)
_, signs = weights(0.25, "none", {"name": "toy-signs", "size": 0.5})
assert [signs[0, version] for version in (1, 2, 3)] == [[0.875], [0.75], [0.625]], signs
print("all three ran")
"""


def test_a_toy_schedule_mitigation_and_optimizer_run_by_name_from_one_file_each(tmp_path):
    folders = {}
    for name, content in (("schedules", SCHEDULE), ("mitigations", MITIGATION),
                          ("optimizers", OPTIMIZER)):
        folders[name] = tmp_path / name
        folders[name].mkdir()
        (folders[name] / f"toy_{name}.py").write_text(content)
    done = subprocess.run([sys.executable, "-c", USE, *map(str, folders.values())],
                          capture_output=True, text=True, check=False)
    assert done.stdout == "all three ran\n", done.stderr


def test_a_name_can_be_taken_once():
    registry = Registry("thing", "sim.schedules")
    registry.register("a", 1)
    with pytest.raises(ValueError, match="thing 'a' is registered twice"):
        registry.register("a", 2)


def test_an_unknown_name_is_refused_with_the_choices():
    with pytest.raises(ValueError, match="schedule 'x' is unknown; choose from 1f1b, chimera"):
        SCHEDULES["x"]


def test_names_are_sorted_and_iterate_their_items():
    names = SCHEDULES.names()
    assert names == sorted(names)
    assert [each.name for each in SCHEDULES] == names


@pytest.mark.parametrize("package", ["schedules", "mitigations", "numerics.optimizers"])
def test_every_file_registers_exactly_one_item(package):
    """One file each, in rooms too: as many names as files."""
    import importlib
    import pkgutil

    module = importlib.import_module(f"sim.{package}")
    registry = getattr(module, package.rpartition(".")[2].upper())
    files = [each for each in pkgutil.walk_packages(module.__path__, f"{module.__name__}.")
             if not each.ispkg]
    assert len(registry.names()) == len(files)
