"""`import sim` stays light, and nothing in `sim` needs torch."""

import subprocess
import sys

import pytest

HEAVY = ["numpy", "scipy", "matplotlib", "simpy", "pydantic", "rich", "torch", "sklearn", "click",
         "joblib"]


def python(code: str, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True,
                          text=True, check=False)


def test_importing_sim_imports_none_of_the_libraries():
    done = python("import sys, sim; print(*(m for m in sys.argv[1:] if m in sys.modules))",
                  *HEAVY)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


@pytest.mark.parametrize("module", ["sim.order.program", "sim.schedules", "sim.mitigations",
                                    "sim.weights.versions", "sim.trace", "sim.order.time_units"])
def test_programs_versions_and_traces_need_numpy_alone(module):
    done = python(f"import sys, {module}; print(*(m for m in sys.argv[1:] if m in sys.modules))",
                  *HEAVY)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) <= {"numpy"}


BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1:]:
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocker())
for name in sys.argv[1:]:
    try:
        __import__(name)
    except ImportError:
        continue
    raise SystemExit(f"{name} is not blocked")
from sim.experiment.configuration import read_experiment
from sim.experiment.run import run

for mitigation in ("none", "spectrain", "i-timeprest"):
    trace = run(read_experiment(None, [f"mitigation={mitigation}", "minibatches=8"]))
    assert len(trace) == 3 * 8 * 3
print("ran")
"""


def test_an_experiment_runs_without_torch_and_without_what_draws():
    done = python(BLOCKED, "torch", "torchvision", "matplotlib")
    assert done.stdout == "ran\n", done.stderr
