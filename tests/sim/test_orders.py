"""Orders of the literature: golden ones token for token, their pictures, bubbles and peaks."""

from itertools import product

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sim.errors import InvalidProgramError
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from sim.schedules.interleaved import round_size
from tests.sim.experiments import by_pass, simulate
from tests.sim.fitting import size_keys, takes
from tests.sim.orders import (
    golden,
    idle,
    makespan,
    passes,
    peaks,
    picture,
    slots,
    tokens,
    walk,
)

SECONDS = [(1.0, 1.0), (1.0, 2.0), (2.0, 1.0), (1.0, 3.0), (0.5, 1.25), (3.0, 2.0), (1.5, 1.5),
           (0.25, 4.0)]  # of a forward and of a backward
EACH = pytest.mark.parametrize(("f", "b"), SECONDS)


def costs(f: float, b: float):
    return {"F": f, "B": b}.__getitem__


def shape(devices, n, chunks=1, minibatches=1, **options):
    return PipelineShape(devices * chunks, minibatches, n, chunks, **options)


@pytest.mark.parametrize(("name", "chunks"), [("1f1b", 1), ("eager-1f1b", 1), ("chimera", 1),
                                              ("interleaved", 2), ("looped-bfs", 2)])
def test_the_golden_order_token_for_token(name, chunks):
    file = f"{name}-4x{'2x' * (chunks > 1)}8"
    assert tokens(name, shape(4, 8, chunks), name == "chimera") == golden(file)


PICTURES = [("1f1b", shape(2, 3), "", "ABC"), ("eager-1f1b", shape(2, 4), "", "ABCD"),
            ("gpipe", shape(2, 3), "", "ABC"), ("split", shape(2, 3), "", "ABC"),
            ("interleaved", shape(2, 2, 2), "s", "AB"), ("looped-bfs", shape(2, 2, 2), "s", "AB"),
            ("hanayo", shape(2, 2, 2), "s", "AB"),
            ("seq1f1b", shape(2, 4, splits=2), "", ["A1", "A2", "B1", "B2"]),
            ("chimera", shape(4, 4), "s", "AByz")]


@pytest.mark.parametrize(("name", "size", "stage", "letters"), PICTURES)
def test_the_picture_in_the_documentation_is_what_runs(name, size, stage, letters):
    def cell(token):
        if token is None:
            return "."
        ((k, op, micro),) = passes(token)
        text = f"{k if stage else ''}{op}{letters[micro]}"
        return text.lower() if letters[micro].islower() else text

    drawn = [[cell(token) for token in row] for row in slots(tokens(name, size))]
    assert drawn == picture(name)


def test_the_picture_of_paci_is_how_it_begins():
    def cell(token):
        ((_, op, micro),) = passes(token) if token else [(0, "", 0)]
        return f"{micro // 2 + 1}{op}{'AB'[micro % 2]}" if token else "."

    drawn = [[cell(token) for token in row]
             for row in slots(tokens("paci", shape(2, 2, minibatches=6)))]
    for row, begins in zip(drawn, picture("paci"), strict=True):
        assert row[:len(begins)] == begins


@EACH
def test_idle_time_of_eager_1f1b_hides_latency(f, b):
    """(P-1)(f+b+2c) for links that take c <= (f+b)/2, whatever the number of micro-batches."""
    for devices, n, c in product((1, 2, 4, 5), (1, 4, 12), (0.0, (f + b) / 4, (f + b) / 2)):
        streams = tokens("eager-1f1b", shape(devices, n))
        assert idle(streams, costs(f, b), c) == pytest.approx(
            devices * [(devices - 1) * (f + b + 2 * c)])


@EACH
def test_the_period_of_1f1b_pays_latency_in_every_turn(f, b):
    """f+b+2c(P-1)/P a micro-batch: P of them in P turns and 2(P-1) messages."""
    for devices, c in product((2, 3, 4), ((f + b) / 4, (f + b) / 2)):
        one, more = (makespan(walk(tokens("1f1b", shape(devices, n)), costs(f, b), c))
                     for n in (10 * devices, 11 * devices))
        assert more - one == pytest.approx(devices * (f + b) + 2 * c * (devices - 1))


def test_peaks_of_eager_1f1b():
    for devices, n in product((1, 2, 4, 7), (1, 5, 20)):
        assert peaks(tokens("eager-1f1b", shape(devices, n))) == [
            min(n, 2 * (devices - 1 - k) + 1) for k in range(devices)]


@EACH
def test_idle_time_of_interleaved_rounds(f, b):
    """(P-1)(f+b) of a chunk wherever PyTorch has equal rounds, and in uneven ones too."""
    for devices, chunks, n in product((2, 3, 4), (2, 3), (1, 2, 3, 4, 5, 8, 9, 10, 12)):
        if n < devices:
            continue
        assert idle(tokens("interleaved", shape(devices, n, chunks)), costs(f, b)) == (
            pytest.approx(devices * [(devices - 1) * (f + b)])), (devices, chunks, n)


def test_interleaved_peaks_are_the_warm_up_and_one():
    for devices, chunks, rounds in product((1, 2, 4), (2, 3), (2, 3)):
        assert peaks(tokens("interleaved", shape(devices, rounds * devices, chunks))) == [
            min(2 * (devices - 1 - k) + (chunks - 1) * devices + 1, rounds * devices * chunks)
            for k in range(devices)]


@pytest.mark.parametrize(("n", "size", "seconds"), [(10, None, 69), (9, 5, 63), (9, None, 63)])
def test_rounds_that_devices_do_not_divide(n, size, seconds):
    streams = tokens("interleaved", shape(4, n, 2, round_size=size))
    assert makespan(walk(streams, costs(1, 2))) == seconds


@given(st.integers(1, 7), st.integers(1, 40))
def test_rounds_are_pytorchs_wherever_it_has_equal_ones(devices, n):
    size = round_size(shape(devices, n))
    rounds = max(1, n // devices)
    if n % rounds == 0:
        assert size == n // rounds
    assert size == n or size >= devices <= (n % size or size)


@EACH
def test_idle_time_and_peaks_of_looped_bfs(f, b):
    for devices, chunks, n in product((1, 2, 3, 4), (1, 2, 3), (1, 2, 4, 7)):
        streams = tokens("looped-bfs", shape(devices, n, chunks))
        assert peaks(streams) == devices * [chunks * n]
        if n >= devices:
            assert idle(streams, costs(f, b)) == pytest.approx(devices * [(devices - 1) * (f + b)])


@EACH
def test_idle_time_and_peaks_of_seq1f1b(f, b):
    """The bubble of one piece; 1 + (P-1-k)/q sequences are kept."""
    for devices, q, sequences in product((1, 2, 4, 5), (1, 2, 3, 4), (3, 6)):
        streams = tokens("seq1f1b", shape(devices, q * sequences, splits=q))
        assert idle(streams, costs(f / q, b / q)) == pytest.approx(
            devices * [(devices - 1) * (f + b) / q]), (devices, q, sequences)
        assert peaks(streams) == [min(q * sequences, q + devices - 1 - k) for k in range(devices)]


def test_idle_time_and_peaks_of_chimera():
    """P-2 slots where both passes take one, and no two passes meet in a slot."""
    for devices, units in product((2, 4, 6, 8), (1, 2, 3)):
        streams = tokens("chimera", shape(devices, units * devices))
        assert idle(streams, costs(1, 1)) == devices * [devices - 2]
        found = peaks(streams)
        assert (min(found), max(found)) == (devices // 2 + 1, devices)


def test_chimera_with_backwards_of_two_forwards():
    """Gaps come back, more with every unit."""
    assert [idle(tokens("chimera", shape(4, n)), costs(1, 2))[0] for n in (4, 8, 16)] == [4, 6, 10]


def test_idle_time_and_peaks_of_hanayo():
    """2(P-1) slots, a ratio of (P-1)/(2WP+P-1) with as many micro-batches as devices; 2W-1 round
    trips of a device's share more for each that is missing in the last round."""
    for devices, waves, n in product((1, 2, 3, 4), (1, 2, 3), (1, 2, 3, 4, 6, 7, 9)):
        if n < devices:
            continue
        streams = tokens("hanayo", shape(devices, n, 2 * waves))
        missing = -n % devices
        assert idle(streams, costs(1, 1)) == devices * [
            2 * (devices - 1) + 2 * (2 * waves - 1) * missing]
        assert max(peaks(streams)) == 2 * waves * devices
        if n == devices:
            total = makespan(walk(streams, costs(1, 1)))
            assert 2 * (devices - 1) / total == pytest.approx(
                (devices - 1) / (2 * waves * devices + devices - 1))


@pytest.mark.parametrize(("name", "size"), [
    ("eager-1f1b", shape(3, 7, minibatches=2)), ("looped-bfs", shape(3, 4, 3, minibatches=2)),
    ("interleaved", shape(2, 5, 3, minibatches=2, warmup=9)), ("hanayo", shape(3, 4, 2)),
    ("seq1f1b", shape(3, 6, minibatches=2, splits=3)), ("paci", shape(3, 2, minibatches=5)),
    ("chimera", shape(4, 8, minibatches=2))])
def test_the_simulator_has_the_times_of_the_walk(name, size):
    trace = simulate(task="none", schedule=name, forward_s=1.5, backward_s=2.0,
                     latency_s=0.25, sync_latency_s=0.0, batch_size=size.total, **size_keys(size))
    streams = tokens(name, size)
    times = walk(streams, costs(1.5, 2.0), 0.25)
    found = {(trace.instruction(row).stage, trace.instruction(row).op.name, int(trace.index[row])):
             (trace.start_s[row], trace.end_s[row]) for row in range(len(trace))}
    for stream, when in zip(streams, times, strict=True):
        for token, each in zip(stream, when, strict=True):
            assert found[passes(token)[0]] == each


def test_a_warm_up_of_its_own_is_the_first_devices_and_goes_down_in_proportion():
    def ahead(name, **options):
        size = PipelineShape(**{"minibatches": 1, "microbatches": 12} | options)
        return [next(at for at, token in enumerate(stream) if "B" in token)
                for stream in tokens(name, size)]

    assert ahead("1f1b", stages=4, warmup=1) == [1, 1, 1, 1]
    assert ahead("1f1b", stages=4, warmup=4) == ahead("1f1b", stages=4) == [4, 3, 2, 1]
    assert ahead("1f1b", stages=4, warmup=6) == [6, 4, 2, 1]
    assert ahead("1f1b", stages=4, warmup=40) == [12, 12, 12, 1]
    assert ahead("1f1b", stages=1, warmup=3) == [3]
    assert ahead("eager-1f1b", stages=4, warmup=4) == [4, 3, 2, 1]
    assert ahead("seq1f1b", stages=4, splits=3, warmup=9) == [9, 7, 5, 3]
    assert ahead("round-robin", stages=4, minibatches=30, microbatches=1, warmup=7) == [7, 5, 3, 1]
    assert ahead("interleaved", stages=8, chunks=2, warmup=8) == [8, 7, 6, 5]
    assert ahead("interleaved", stages=8, chunks=2) == [11, 9, 7, 5]


@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 11), st.data())
def test_rounds_and_warm_ups_of_interleaved_run_exactly_where_they_are_taken(devices, chunks, n,
                                                                             data):
    size = data.draw(st.integers(min(devices, n), n) | st.none())
    warmup = data.draw(st.integers(1, n * chunks + 2))
    asked = shape(devices, n, chunks, round_size=size, warmup=warmup)
    even = shape(devices, n, chunks, round_size=size)
    schedule = SCHEDULES["interleaved"]
    assume(takes("interleaved", even))
    if takes("interleaved", asked):
        schedule.program(asked).validate()
        return
    with pytest.raises(ValueError, match="warmup is at") as said:
        schedule.check(asked)
    if "at most" in str(said.value):
        with pytest.raises(InvalidProgramError, match="cannot be executed"):
            Program.build(schedule.generate, asked).validate()


@pytest.mark.parametrize(("name", "size", "said"), [
    ("interleaved", shape(4, 9, 2, round_size=4), "rounds of 4 leave 1 of 9 micro-batches"),
    ("interleaved", shape(4, 9, 2, round_size=3), "at least as many micro-batches as there are"),
    ("interleaved", shape(2, 4, 2, warmup=2), "warmup is at least that, got 2"),
    ("interleaved", shape(2, 4, 2, warmup=8), "warmup is at most that, got 8"),
    ("hanayo", shape(2, 4, 3), "chunks is even, got 3"),
    ("chimera", shape(3, 4), "stages is even, got 3"),
    ("chimera", shape(4, 5), "microbatches is even, got 5"),
    ("chimera", shape(4, 4, 1, 2, last_microbatches=3), "microbatches is even, got 3"),
    ("seq1f1b", shape(2, 5, splits=2), "splits divides microbatches, got 2 and 5"),
    ("seq1f1b", shape(2, 6, splits=3, warmup=2), "at least one sequence of 3 pieces, got 2"),
    ("gpipe", shape(2, 4, warmup=3), "gpipe takes no warmup; it is for 1f1b, eager-1f1b, hybr"),
])
def test_what_has_no_order_is_refused_with_the_reason(name, size, said):
    with pytest.raises(ValueError, match=said):
        SCHEDULES[name].check(size)


@pytest.mark.parametrize(("stages", "n"), [(2, 1), (4, 2), (4, 4), (5, 3), (3, 1)])
def test_the_gap_of_paci(stages, n):
    """Updates between what a forward reads and what its gradient is applied to."""
    trace = simulate(task="none", schedule="paci", stages=stages, microbatches=n, minibatches=12)
    gaps = by_pass(trace, "version_applied") - by_pass(trace, "version_read")
    for k, row in enumerate(gaps):
        late = stages - 1 - k
        assert row.tolist() == [m // n - max(m - late, 0) // n for m in range(len(row))]
        assert max(row) == -(-late // n)
