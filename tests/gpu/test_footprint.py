"""Predicted peaks within three per cent of what a CPU holds, whatever the program."""

import pytest

from gpu.profiling.rises import stage_bytes
from gpu.profiling.solo import Solo
from gpu.runtime.run import run
from sim.errors import ConfigurationError
from sim.experiment.run import run as simulate
from sim.mitigations import MITIGATIONS
from sim.order.shape import PipelineShape
from sim.order.torch_csv.reading import parse, repeated
from tests.gpu.conftest import cpu_assembly, cpu_lanes
from tests.gpu.footprints import errors, predicted, profile_of, small
from tests.gpu.torch_schedules import write
from tests.sim.fitting import ONE_HOME, fitted

LIMIT = 0.03
# Pairs whose prediction misses the limit and is not mended: these and no others, by at most so much
MISSED = {("paci", "i-timeprest"): 0.11, ("v-min", "delay-adaptive"): 0.035,
          ("v-min", "none"): 0.035, ("v-min", "spectrain"): 0.04}
FIRST = ("1f1b", "gpipe", "interleaved", "nf1b", "round-robin", "sequential", "split")
TURNS = (*FIRST, *(name for name in ONE_HOME if name not in FIRST))


def turns(schedule):
    """Every mitigation with the other options in turn, so that each meets the most of them."""
    newcomer = "delay-adaptive"  # comes last: the others keep the options they were tried with
    for number, mitigation in enumerate(sorted(MITIGATIONS.names(), key=newcomer.__eq__)):
        turn = number + TURNS.index(schedule)
        shape = fitted(schedule, PipelineShape((2, 3)[turn % 2], 2, (2, 1, 4, 1)[turn % 4]))
        yield {"schedule": schedule, "mitigation": mitigation, "stages": shape.stages,
               "microbatches": shape.microbatches, "chunks": shape.chunks,
               "optimizer": ("momentum", "adam")[turn // 2 % 2],
               "backward": ("graph", "recompute")[turn // 3 % 2],
               "distances": turn // 4 % 2 == 1}


def taken(options):
    """The assembly of some options, with the number of micro-batches that the pair takes."""
    for microbatches in (options["microbatches"], 1, 4):
        try:
            return small(**options | {"microbatches": microbatches})
        except ConfigurationError:
            pass
    return None


@pytest.mark.parametrize("schedule", [
    name if name in ("round-robin", "gpipe", "nf1b")
    else pytest.param(name, marks=pytest.mark.verify) for name in ONE_HOME])
def test_every_mitigation_is_predicted_under_every_schedule(schedule):
    assemblies = {options["mitigation"]: taken(options) for options in turns(schedule)}
    found = {name: errors(each) for name, each in assemblies.items() if each is not None}
    assert {"none", "stash", "spectrain-stashed"} <= found.keys()
    worst = {name: max(map(abs, each)) for name, each in found.items()}
    missed = {name: most for (order, name), most in MISSED.items() if order == schedule}
    assert {name for name, each in worst.items() if each > LIMIT} == set(missed)
    assert {name for name, most in missed.items() if worst[name] > most} == set()


@pytest.mark.parametrize("schedule", ["gpipe", "nf1b", "round-robin"])
@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_the_profile_of_one_program_predicts_another(schedule, optimizer):
    """Levels follow from the order, and what an instruction needs for a moment stays its own."""
    other = small(stages=3, schedule="1f1b", microbatches=2, optimizer=optimizer)
    this = small(stages=3, schedule=schedule, optimizer=optimizer,
                 microbatches=1 if schedule == "round-robin" else 4)
    assert max(map(abs, errors(this, profile_of(other)))) <= LIMIT


@pytest.mark.parametrize("name", ["InterleavedZeroBubble", "ZBVZeroBubble"])
@pytest.mark.parametrize("options", [
    {"mitigation": "stash", "backward": "graph"},
    {"mitigation": "spectrain", "backward": "recompute"}], ids=["graph", "recompute"])
def test_halves_of_a_backward_are_predicted_apart(tmp_path, name, options):
    program = repeated(parse(write(tmp_path / "p.csv", name, 2, 4, 2).read_text()), 3)
    assembly = small(stages=4, minibatches=3, program=program, microbatches=4, chunks=2,
                     schedule="interleaved", **options)
    assert max(map(abs, errors(assembly))) <= LIMIT


def test_what_is_measured_is_no_peak():
    """One and the same profile for a program with one micro-batch in flight and with many."""
    few, many = (small(schedule="gpipe", microbatches=n, minibatches=3) for n in (1, 4))
    profile = profile_of(few)
    (one, _), (four, _) = (predicted(each, profile, [[0], [1]]) for each in (few, many))
    assert four - one == pytest.approx(3 * profile.stages[0].held_bytes, rel=0.1)


def test_wide_backwards_are_measured_one_by_one():
    wide, single = (cpu_assembly(minibatches=3, schedule=schedule, microbatches=4,
                                 training={"batch_size": 8, "distances": False})
                    for schedule in ("nf1b", "1f1b"))
    for a, b in zip(*(stage_bytes(Solo(each, cpu_lanes(2))) for each in (wide, single)),
                    strict=True):
        assert a.rise_bytes["B"] == pytest.approx(b.rise_bytes["B"], rel=0.01)
        assert a.held_bytes == b.held_bytes


def test_stages_on_one_device_have_bytes_of_their_own():
    assembly = small(stages=4, schedule="interleaved", microbatches=2, chunks=2)
    every = stage_bytes(Solo(assembly, cpu_lanes(2)))
    weights = [len(model.live) * 4 for model in assembly.task.models]
    assert [each.resident_bytes for each in every] == [2.0 * size for size in weights]
    assert all(set(each.rise_bytes) == {"F", "B", "U"} for each in every)


def test_adam_is_resident_with_all_it_keeps():
    stages = stage_bytes(Solo(small(optimizer="adam"), cpu_lanes(2)))
    sizes = small().task.stage_sizes()
    assert [s.resident_bytes for s in stages] == [4.0 * size.weight_bytes for size in sizes]


@pytest.mark.parametrize(("mitigation", "made"), [("spectrain", "F"), ("nwpt", "FB"),
                                                  ("spectrain-stashed", "F")])
def test_a_pass_that_predicts_needs_one_weight_set_more_while_it_runs(mitigation, made):
    """As the simulator counts copies: stage 0 looks ahead in its forwards, NWPT in both passes."""
    def rises(name):
        assembly = small(mitigation=name)
        solo = Solo(assembly, cpu_lanes(assembly.program.devices))
        return stage_bytes(solo)[0].rise_bytes, assembly.task.stage_sizes()[0].weight_bytes

    (plain, one), (own, _) = rises("none"), rises(mitigation)
    assert {op: own[op] - plain[op] for op in "FBU"} == {op: one * (op in made) for op in "FBU"}


def test_a_run_that_recomputes_says_what_its_backwards_make_again():
    assembly = small(backward="recompute")
    profile = profile_of(assembly)
    trace = simulate(assembly.experiment.changed(task="none"), program=assembly.program,
                     profile=profile)
    made = trace.header.sizes.recomputed_bytes
    assert made == [stage.activation_bytes for stage in profile.stages]
    assert made == run(assembly, cpu_lanes(2)).header.sizes.recomputed_bytes
    assert run(small(), cpu_lanes(2)).header.sizes.recomputed_bytes == []
