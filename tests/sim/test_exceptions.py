"""Own exception types can be rebuilt from their arguments, as SimPy and pickle do."""

import pickle

import pytest

from sim.errors import (
    ConfigurationError,
    DeadlockError,
    InvalidProgramError,
    ProfileError,
    TraceError,
)
from sim.experiment.configuration import resolve
from sim.order.program import Program
from sim.times.profile import read_profile
from sim.trace import Trace
from tests.sim.experiments import simulate


def raised(kind, call) -> Exception:
    with pytest.raises(kind) as caught:
        call()
    return caught.value


CASES = {
    "invalid text": (InvalidProgramError, lambda: Program.parse("nonsense")),
    "invalid cell": (InvalidProgramError, lambda: Program.parse("0F0,0F0,0B0")),
    "invalid order": (InvalidProgramError, lambda: Program.parse("0B0,0F0").validate()),
    "deadlock": (DeadlockError, lambda: simulate(
        stages=2, activation_bytes=10.0, activation_limit_bytes=10.0, task="none")),
    "configuration": (ConfigurationError, lambda: resolve({"pipeline": {"stages": 0, "x": 1}})),
    "trace": (TraceError, lambda: Trace.load("no/such/file")),
    "profile": (ProfileError, lambda: read_profile("no/such/file")),
}


@pytest.mark.parametrize("case", CASES)
def test_an_error_is_rebuilt_from_its_arguments(case):
    kind, call = CASES[case]
    error = raised(kind, call)
    assert type(error) is kind
    again = kind(*error.args)
    assert str(again) == str(error) != ""
    assert vars(again) == vars(error)


@pytest.mark.parametrize("case", CASES)
def test_an_error_survives_pickling(case):
    kind, call = CASES[case]
    error = raised(kind, call)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error)


def test_the_table_follows_the_rule_in_the_message():
    error = raised(*CASES["invalid cell"])
    assert str(error) == f"{error.rule}\n{error.table}"
    assert ">0F0<" in error.table
