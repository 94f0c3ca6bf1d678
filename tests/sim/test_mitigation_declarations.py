"""What a mitigation declares is what it does: its declarations against its answers."""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from sim.mitigations import MITIGATIONS, Late, Look, Mitigation, Reads, mitigation

FLAGS = ("keeps_forward", "predicts", "interpolates", "treats_gradient", "adapts_rate")
RNG = np.random.default_rng(5)
WEIGHTS, LATEST, USED, VELOCITY, OTHER, GRADIENT = RNG.normal(size=(6, 4))
READS = [Reads(latest, entry, forward, index, 2) for latest, entry, forward, index in
         itertools.product((3, 5), (1, 2), (0, 3), (0, 1, 7)) if forward <= latest]


def looks(used: Any) -> list[Look]:
    """Every gap and horizon there may be, weights and velocities that lie in no line."""
    return [Look(WEIGHTS if gap else LATEST, LATEST, used, VELOCITY, 0.1, 0.9, horizon, unit, gap)
            for gap, horizon, unit in itertools.product((0, 1, 3), (0, 1, 2), (None, 0, 2))]


def between(found: Any, one: Any, other: Any) -> bool:
    """Whether an array lies on the way from one to the other."""
    share = np.dot(found - one, other - one) / max(np.dot(other - one, other - one), 1e-30)
    return bool(-1e-12 <= share <= 1 + 1e-12
                and np.allclose(found, one + share * (other - one), rtol=0, atol=1e-12))


def check(kind: type[Mitigation]) -> None:
    """Compare every declaration with the answers of the mitigation at its defaults."""
    asked = kind()
    reuses = kind.stash == "prediction"
    seen = looks(USED if reuses else None)
    assert kind.keeps_forward == all(asked.backward_version(r) == r.forward for r in READS)
    assert kind.treats_gradient == any(asked.gradient(GRADIENT, x) is not GRADIENT for x in seen)
    late = [Late(0.1, delay, depth) for delay, depth in itertools.product(range(5), (1, 2, 3))]
    assert kind.adapts_rate == any(asked.step_rate(x) != x.learning_rate for x in late)
    answers = {"forward": asked.forward_weights, "backward": asked.backward_weights}
    own = {name: any(answer(x) is not x.weights for x in seen) for name, answer in answers.items()}
    follows = {name: any(not np.array_equal(answer(x), answer(x._replace(velocity=OTHER)))
                         for x in seen) for name, answer in answers.items()}
    assert kind.predicts == any(follows.values())
    assert kind.predicts or not own["forward"]
    assert kind.predicts or kind.interpolates or not own["backward"]
    assert reuses == all(asked.backward_weights(x) is x.used for x in seen)
    if kind.interpolates:
        assert own["backward"]
        assert all(between(asked.backward_weights(x), x.weights, x.latest) for x in seen)
    gaps = range(1, 6)
    assert kind.interpolates == any(asked.effective_staleness(gap) != gap for gap in gaps)
    assert kind.predicts or not any(asked.steps_ahead(x.horizon, x.unit_horizon) for x in seen)


@pytest.mark.parametrize("name", MITIGATIONS.names())
def test_a_mitigation_does_what_it_declares(name):
    check(MITIGATIONS[name])


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("name", MITIGATIONS.names())
def test_a_declaration_turned_round_is_found_out(name, flag):
    kind = MITIGATIONS[name]
    with pytest.raises(AssertionError):
        check(type("Liar", (kind,), {flag: not getattr(kind, flag)}))


@pytest.mark.parametrize("name", MITIGATIONS.names())
def test_a_false_stash_is_found_out(name):
    kind = MITIGATIONS[name]
    stash = "version" if kind.stash == "prediction" else "prediction"
    with pytest.raises(AssertionError):
        check(type("Liar", (kind,), {"stash": stash}))


def answer(self: Any, *arguments: Any) -> Any:
    return arguments[0]


@pytest.mark.parametrize(("body", "says"), [
    ({"gradient": answer}, "has a gradient of its own, which nobody would ask for: declare "
                           "treats_gradient = True"),
    ({"forward_weights": answer}, "has a forward_weights of its own, which nobody would ask for: "
                                  "declare predicts = True"),
    ({"backward_weights": answer}, "declare predicts = True or interpolates = True"),
    ({"steps_ahead": answer}, "declare predicts = True"),
    ({"effective_staleness": answer}, "declare interpolates = True"),
    ({"backward_version": answer}, "declare keeps_forward, True where it is the version the "
                                   "forward read"),
    ({"step_rate": answer}, "declare adapts_rate = True"),
    ({"adapts_rate": True}, "declares adapts_rate, but has no step_rate of its own"),
    ({"treats_gradient": True}, "declares treats_gradient, but has no gradient of its own"),
    ({"predicts": True}, "declares predicts, but has no forward_weights or backward_weights"),
    ({"interpolates": True}, "declares interpolates, but has no backward_weights of its own"),
    ({"keeps_forward": True}, "declares keeps_forward, but has no backward_version of its own"),
    ({"stash": "prediction"}, "stashes a prediction: declare predicts = True"),
])
def test_a_mitigation_that_declares_something_else_is_not_registered(body, says):
    kind = dataclass(frozen=True)(type("Toy", (Mitigation,), body))
    with pytest.raises(ValueError, match=f"mitigation 'toy-undeclared' .*{says}"):
        mitigation("toy-undeclared", rule="none", source="this test")(kind)
    assert "toy-undeclared" not in MITIGATIONS.names()


def test_an_answer_inherited_from_a_base_has_to_be_declared_too():
    base = type("Base", (Mitigation,), {"gradient": answer})
    with pytest.raises(ValueError, match="treats_gradient"):
        mitigation("toy-undeclared", rule="none", source="this test")(type("Toy", (base,), {}))
