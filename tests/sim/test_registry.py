"""Adding a schedule or a mitigation is adding one file."""

import subprocess
import sys

import pytest

from sim.registry import Registry
from sim.schedules import SCHEDULES

SCHEDULE = '''
"""Backwards in reverse, as a stack would."""
from sim.order.authoring import backwards, forwards, join, repeat
from sim.schedules import schedule

@schedule("toy-stack", rule="all forwards, then backwards last first", source="this test")
def toy(device, shape):
    n = shape.microbatches
    once = join([forwards(device, range(n)), backwards(device, range(n - 1, -1, -1))])
    yield repeat(once, shape.minibatches, n)
'''
MITIGATION = '''
"""A gradient made smaller."""
from dataclasses import dataclass
from sim.mitigations import Mitigation, mitigation

@mitigation("toy-shrink", rule="the gradient times a factor", source="this test")
@dataclass(frozen=True)
class Shrink(Mitigation):
    factor: float = 0.5

    def gradient(self, gradient, look):
        return self.factor * gradient
'''
USE = """
import sys
import sim.schedules, sim.mitigations
sim.schedules.__path__.append(sys.argv[1])
sim.mitigations.__path__.append(sys.argv[2])
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.experiment.setup import make_task
from sim.mitigations import MITIGATIONS
from sim.schedules import SCHEDULES

assert "toy-stack" in SCHEDULES.names() and "gpipe" in SCHEDULES.names()
assert "toy-shrink" in MITIGATIONS.names() and "stash" in MITIGATIONS.names()

def weights(rate, mitigation):
    found = {}
    experiment = resolve({
        "pipeline": {"schedule": "toy-stack", "stages": 2, "minibatches": 3, "microbatches": 4,
                     "mitigation": mitigation},
        "training": {"task": "quadratic", "momentum": 0.0, "learning_rate": rate}})
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
print("both ran")
"""


def test_a_toy_schedule_and_mitigation_run_by_name_from_one_file_each(tmp_path):
    folders = {}
    for name, content in (("schedules", SCHEDULE), ("mitigations", MITIGATION)):
        folders[name] = tmp_path / name
        folders[name].mkdir()
        (folders[name] / f"toy_{name}.py").write_text(content)
    done = subprocess.run([sys.executable, "-c", USE, *map(str, folders.values())],
                          capture_output=True, text=True, check=False)
    assert done.stdout == "both ran\n", done.stderr


def test_a_name_can_be_taken_once():
    registry = Registry("thing", "sim.schedules")
    registry.register("a", 1)
    with pytest.raises(ValueError, match="thing 'a' is registered twice"):
        registry.register("a", 2)


def test_an_unknown_name_is_refused_with_the_choices():
    with pytest.raises(ValueError, match="schedule 'x' is unknown; choose from 1f1b, gpipe"):
        SCHEDULES["x"]


def test_names_are_sorted_and_iterate_their_items():
    names = SCHEDULES.names()
    assert names == sorted(names)
    assert [each.name for each in SCHEDULES] == names


@pytest.mark.parametrize("package", ["schedules", "mitigations"])
def test_every_file_registers_exactly_one_item(package):
    """One file each: as many names as modules."""
    import importlib
    import pkgutil

    module = importlib.import_module(f"sim.{package}")
    registry = getattr(module, package.upper())
    assert len(registry.names()) == len(list(pkgutil.iter_modules(module.__path__)))
