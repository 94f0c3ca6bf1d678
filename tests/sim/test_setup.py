"""An experiment is resolved once: what is made of it, how often, and what runs may share."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

import sim.experiment.batched
import sim.experiment.machine
import sim.experiment.setup
from sim.errors import ConfigurationError
from sim.experiment.batched import run_many
from sim.experiment.configuration import Experiment, resolve
from sim.experiment.run import run, run_setup
from sim.experiment.setup import Setup, VirtualSetup
from sim.experiment.tables import Tables, alike, bearing
from sim.experiment.values.said import Bears
from sim.mitigations import MITIGATIONS
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from sim.weights.versions import VersionPlan
from tests.sim.experiments import TINY, experiment

ROOT = Path(__file__).parents[2]
MADE = ("make_mitigation", "make_combine", "make_rate", "make_task", "load_profile", "stage_sizes",
        "cost_model", "make_cluster", "generate")
KEYS = [(section, key) for section, field in Tables.model_fields.items()
        for key in field.annotation.model_fields]


@pytest.fixture
def made(monkeypatch) -> Counter:
    """How often each thing is made from here on."""
    counted: Counter = Counter()

    def counting(name, function):
        def call(*args, **kwargs):
            counted[name] += 1
            return function(*args, **kwargs)
        return call

    for name in MADE:
        monkeypatch.setattr(sim.experiment.setup, name,
                            counting(name, getattr(sim.experiment.setup, name)))
    monkeypatch.setattr(sim.experiment.setup.VersionPlan, "of",
                        counting("versions", VersionPlan.of))
    return counted


@pytest.mark.parametrize("keys", [{}, {"count": 2, "combine": "wave"}, {"mitigation": "stash"}])
def test_a_run_makes_everything_once(made, keys):
    run(experiment(**TINY, minibatches=4, **keys))
    assert made == dict.fromkeys((*MADE, "versions"), 1)


def test_a_setup_holds_what_its_tables_ask_for():
    asked = experiment(**TINY, minibatches=4, mitigation="spectrain", learning_rate=0.3,
                       forward_s=2.0, latency_s=0.5)
    setup = VirtualSetup.of(asked)
    assert setup.shape == setup.program.shape == PipelineShape(3, 4)
    assert setup.mitigation == MITIGATIONS["spectrain"]()
    assert setup.rate(0) == 0.3
    assert setup.costs.forward_s.tolist() == [2.0] * 3
    assert setup.cluster.link.latency_s == 0.5
    assert setup.sizes.weight_bytes.tolist() == [w.nbytes for w in setup.task.weights]
    assert run_setup(setup).header == run(asked).header


def test_a_program_of_another_shape_is_refused_before_anything_is_made(made):
    program = SCHEDULES["gpipe"].program(PipelineShape(2, 3))
    with pytest.raises(ConfigurationError) as caught:
        Setup.of(experiment(stages=3, minibatches=3), program)
    assert caught.value.problems == ["pipeline.stages: the program given has 2, got 3"]
    assert not made


def test_versions_are_planned_in_one_place_of_the_product():
    calls = []
    for room in ("sim", "gpu", "analysis", "figures"):
        for path in (ROOT / room).rglob("*.py"):
            calls += [path.relative_to(ROOT) for node in ast.walk(ast.parse(path.read_text()))
                      if isinstance(node, ast.Call) and ast.unparse(node.func) == "VersionPlan.of"]
    assert calls == [Path("sim/experiment/setup.py")]


def test_over_another_length_everything_else_stays_the_same_thing():
    short = VirtualSetup.of(experiment(task="none", minibatches=6))
    long = short.over(short.experiment.changed(minibatches=12))
    assert long.shape.minibatches == long.experiment.pipeline.minibatches == 12
    for name in ("profile", "task", "sizes", "costs", "cluster"):
        assert getattr(long, name) is getattr(short, name)


class TestChanged:
    def test_keys_are_bare_dotted_or_in_tables_and_later_ones_win(self):
        base = resolve({"pipeline": {"stages": 2}})
        found = base.changed({"pipeline": {"stages": 4, "minibatches": 8}},
                             {"training.seed": 1, "stages": 5}, minibatches=10)
        assert (found.pipeline.stages, found.pipeline.minibatches) == (5, 10)
        assert found.training.seed == 1
        assert base.pipeline.stages == 2

    def test_what_was_set_stays_set_and_nothing_else_does(self):
        found = resolve({"cluster": {"latency_s": 0.0}}).changed({"pipeline": {"stages": 2}})
        assert found.cluster.model_fields_set == {"latency_s"}
        assert found.pipeline.model_fields_set == {"stages"}
        assert found.model_fields_set == {"cluster", "pipeline"}
        assert found.document() == {"cluster": {"latency_s": 0.0}, "pipeline": {"stages": 2}}

    def test_a_table_in_a_section_is_replaced_and_a_dotted_key_reaches_into_it(self):
        base = experiment(schedule="nf1b", microbatches=4,
                          mitigation={"name": "i-timeprest", "decay": 2.0})
        whole = base.changed(mitigation={"name": "i-timeprest"})
        assert whole.pipeline.mitigation == {"name": "i-timeprest"}
        inner = base.changed({"pipeline.mitigation.decay": 3.0})
        assert inner.pipeline.mitigation == {"name": "i-timeprest", "decay": 3.0}
        assert base.pipeline.mitigation == {"name": "i-timeprest", "decay": 2.0}

    def test_the_callers_tables_are_left_alone(self):
        table = {"name": "i-timeprest", "decay": 1.0}
        resolve({}).changed({"pipeline": {"mitigation": table}}, {"pipeline.mitigation.decay": 2.0})
        assert table == {"name": "i-timeprest", "decay": 1.0}

    @pytest.mark.parametrize(("change", "said"), [
        ({"stages": 0}, "pipeline.stages: "), ({"colour": 1}, "colour: "),
        ({"pipeline": 3}, "pipeline: "), ({"pipeline.stages.more": 1}, "pipeline.stages: "),
        ({"minibatches": 7, "count": 2}, "workers.count: divides")])
    def test_the_change_is_checked(self, change, said):
        with pytest.raises(ConfigurationError, match=said):
            resolve({}).changed(change)

    def test_no_change_gives_an_equal_experiment(self):
        base = experiment(stages=4, jitter={"sigma": 0.1}, stragglers=[
            {"stage": 1, "from_s": 0.0, "to_s": 1.0, "factor": 2.0}])
        assert base.changed() == base
        assert base.changed().document() == base.document()


class TestBears:
    @pytest.mark.parametrize(("section", "key"), KEYS)
    def test_every_key_says_what_it_bears_on(self, section, key):
        assert bearing(Tables.model_fields[section].annotation, key)

    def test_a_key_that_does_not_is_an_error(self):
        class Forgetful(Tables):
            colour: str = "red"

        with pytest.raises(ValueError, match="colour"):
            bearing(Forgetful, "colour")

    def test_only_keys_that_bear_on_it_tell_runs_apart(self):
        base, seeds = experiment(), experiment(seed=1)
        assert alike(base, Bears.ORDER) == alike(seeds, Bears.ORDER)
        assert alike(base, Bears.TIMES) == alike(seeds, Bears.TIMES)
        assert alike(base, Bears.DATA) != alike(seeds, Bears.DATA)
        other = experiment(mitigation="stash", learning_rate=1.0)
        assert alike(base, ~Bears.LEARNING) == alike(other, ~Bears.LEARNING)

    def test_a_key_set_to_its_default_is_told_apart_where_that_is_asked(self):
        plain, said = Experiment(), resolve({"cluster": {"latency_s": 0.0}})
        assert alike(plain, Bears.TIMES) == alike(said, Bears.TIMES)
        assert alike(plain, Bears.TIMES, given=True) != alike(said, Bears.TIMES, given=True)

    def test_runs_of_a_batch_share_what_nothing_between_them_bears_on(self, made, monkeypatch):
        settled = []
        whole = sim.experiment.batched.settle
        monkeypatch.setattr(sim.experiment.batched, "settle", lambda setup, timeline=None: (
            settled.append(timeline is None), whole(setup, timeline=timeline))[1])
        keys = {**TINY, "minibatches": 4}
        given = [experiment(**keys, learning_rate=rate, seed=seed, mitigation=name)
                 for rate in (0.1, 0.2) for seed in (0, 1) for name in ("none", "stash")]
        given += [experiment(**keys, forward_s=2.0), experiment(**keys, jitter={"sigma": 0.1}),
                  experiment(**keys, jitter={"sigma": 0.1}, seed=1)]
        list(run_many(given))
        assert sum(settled) == 4  # constant costs, others, and jitter by seed
