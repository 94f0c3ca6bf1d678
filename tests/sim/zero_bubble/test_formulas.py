"""Published idle times and peaks of zero-bubble orders, by the exact engine, with what they need.

Seconds are f, i, w of F, I, W of a stage; P devices, M micro-batches, V chunks.  Idle is of the
whole run, span idle from a device's own first to last pass.
"""

import pytest

from tests.sim.orders import idle as walked
from tests.sim.orders import peaks, tokens
from tests.sim.zero_bubble.timed import COSTS, idle, ran, shape_of

verify = pytest.mark.verify


def some(cases, often=2):
    """Every so many of the cases in `make test`, the others in `make verify`."""
    return [case if place % often == 0 else pytest.param(*case, marks=verify)
            for place, case in enumerate(cases)]


def each(shapes):
    return [(*shape, costs) for costs in COSTS for shape in shapes]


@pytest.mark.parametrize(("devices", "n", "costs"), some(each(
    [(2, 3), (3, 4), (4, 4), (4, 8), (5, 9), (6, 6), (8, 16)]), 4))
def test_zb_h1(devices, n, costs):
    """Idle (P−1)·max(f+i−w, f, i) for M ≥ P; P activations on every device."""
    f, i, w = costs
    found = idle("zb-h1", devices, n, costs)
    assert max(found.run) == min(found.run) == (devices - 1) * max(f + i - w, f, i)
    assert found.most == [devices] * devices


def test_zb_h1_idles_more_with_fewer_micro_batches_than_devices():
    assert idle("zb-h1", 4, 3, (1, 1, 1)).run[0] == 4 > 3


@pytest.mark.parametrize(("devices", "chunks", "n", "costs"), some(each(
    [(2, 2, 2), (2, 2, 4), (3, 2, 6), (4, 2, 8), (4, 3, 8), (5, 2, 10), (3, 3, 9)]), 4))
def test_interleaved_zero_bubble(devices, chunks, n, costs):
    """As ZB-H1 in seconds of a chunk; VP activations of chunks."""
    f, i, w = costs
    found = idle("interleaved-zb", devices, n, costs, chunks)
    assert set(found.run) == {(devices - 1) * max(f + i - w, f, i)}
    assert found.most == [chunks * devices] * devices


@pytest.mark.parametrize(("devices", "n"), [(1, 1), (2, 4), (3, 3), (4, 8), (5, 15), (8, 8)])
def test_interleaved_zero_bubble_of_one_chunk_is_zb_h1_token_for_token(devices, n):
    assert tokens("interleaved-zb", shape_of("interleaved-zb", devices, n)) == tokens(
        "zb-h1", shape_of("zb-h1", devices, n))


@pytest.mark.parametrize(("devices", "n", "costs"), some(each(
    [(2, 3), (3, 5), (4, 7), (4, 8), (5, 9), (6, 11), (8, 16)]), 4))
def test_zb_h2(devices, n, costs):
    """Span idle (P−1)·max(0, f+i−2w, i−f) for M ≥ 2P−1; 2P−1 activations."""
    f, i, w = costs
    found = idle("zb-h2", devices, n, costs)
    assert max(found.span) == (devices - 1) * max(0, f + i - 2 * w, i - f)
    assert found.most == [2 * devices - 1] * devices


def test_zb_h2_idles_with_fewer_micro_batches():
    assert max(idle("zb-h2", 4, 6, (1, 1, 1)).span) > 0


@pytest.mark.parametrize(("costs", "h1", "h2"), [((1, 1, 1), 14, 14), ((2, 3, 1), 32, 31)])
def test_three_devices_and_four_micro_batches_take_no_longer_than_the_best_orders(costs, h1, h2):
    """The best of all orders by an exact search, holding as many activations as these two."""
    work = 4 * sum(costs)
    assert idle("zb-h1", 3, 4, costs).run[0] + work == h1
    assert idle("zb-h2", 3, 4, costs).run[0] + work == h2


@pytest.mark.parametrize(("devices", "n"), some([(2, 3), (3, 5), (4, 7), (4, 8), (5, 9), (8, 16)]))
def test_zbv_idles_not_at_equal_seconds(devices, n):
    """Span idle 0 and idle P−1 for M ≥ 2P−1; 2P chunks' activations, the bytes of 1F1B's P."""
    found = idle("zbv", devices, n, (1, 1, 1))
    assert set(found.span) == {0}
    assert set(found.run) == {devices - 1}
    assert found.most == [2 * devices] * devices


@pytest.mark.parametrize("costs", COSTS[1:])
def test_zbv_idles_at_any_other_seconds(costs):
    assert max(idle("zbv", 4, 7, costs).span) > 0


def test_zbv_idles_with_few_micro_batches():
    """P = M = 4: idle 6, not 3."""
    assert set(idle("zbv", 4, 4, (1, 1, 1)).run) == {6}
    assert max(idle("zbv", 4, 5, (1, 1, 1)).run) > 3


@pytest.mark.parametrize(("devices", "most"), some([(4, 4), (5, 6), (6, 6), (8, 8), (9, 8),
                                                    (16, 12), (32, 24)]))
def test_v_min(devices, most):
    """Its building blocks at f = i = w idle 4P−5, two more where 3 divides P."""
    n = 2 * devices if devices > 8 else 4 * devices
    found = idle("v-min", devices, n, (1, 1, 1))
    assert max(found.run) == 4 * devices - 5 + 2 * (devices % 3 == 0)
    assert max(found.most) == most


@pytest.mark.parametrize("devices", [2, 4, pytest.param(6, marks=verify), 8,
                                     pytest.param(16, marks=verify)])
def test_v_half_on_an_even_number_of_devices(devices):
    """Its building blocks at f = i = w idle 7P/2−2, and P+2 activations are held."""
    found = idle("v-half", devices, 3 * devices, (1, 1, 1))
    assert max(found.run) == 7 * devices // 2 - 2
    assert max(found.most) == devices + 2


@pytest.mark.parametrize("devices", [3, 5, 9])
def test_v_half_on_an_odd_number_of_devices(devices):
    """7(P−1)/2, and P+1 activations [derived]."""
    found = idle("v-half", devices, 3 * devices, (1, 1, 1))
    assert max(found.run) == 7 * (devices - 1) // 2
    assert max(found.most) == devices + 1


F_EQUALS_I = [*(costs for costs in COSTS if costs[0] == costs[1] >= costs[2]),
              (2, 2, 2), (3, 3, 2), (4, 4, 1)]
DUAL = [("dualpipev", 2, 4), ("dualpipev", 3, 7), ("dualpipev", 4, 8), ("dualpipev", 4, 10),
        ("dualpipev", 5, 10), ("dualpipe", 2, 4), ("dualpipe", 4, 8), ("dualpipe", 4, 10),
        ("dualpipe", 6, 12)]


def pairs_of(f, i, w):
    """Seconds of a pair that overlaps in full, and of one that does by half."""
    return max(f, i + w), (max(f, i + w) + f + i + w) / 2


def published(name, devices, pair, i, w):
    """DualPipeV's (P−1)(FB+b−3w), DualPipe's (P/2−1)(FB+b−3w)."""
    return (devices - 1 if name == "dualpipev" else devices // 2 - 1) * (pair + i - 2 * w)


@pytest.mark.parametrize(("name", "devices", "n", "costs", "pair"), some([
    (*shape, costs, pair) for costs in F_EQUALS_I for pair in pairs_of(*costs)
    for shape in DUAL], 8))
def test_the_worst_device_of_dualpipe_and_its_half_where_f_is_i_and_at_least_w(name, devices, n,
                                                                               costs, pair):
    _, i, w = costs
    assert max(idle(name, devices, n, costs, pair=pair).run) == published(name, devices, pair, i, w)


def atomic(name, devices, n, costs):
    """Seconds the worst device idles where a pair takes the sum, and ends both passes at once."""
    streams = tokens(name, shape_of(name, devices, n), two_ways=name == "dualpipe")
    return max(walked(streams, seconds_of(*costs), half=n // 2))


def seconds_of(f, i, w):
    return {"F": f, "B": i + w, "I": i, "W": w}.__getitem__


@pytest.mark.parametrize(("name", "devices", "n"), DUAL)
def test_the_formula_of_dualpipe_where_nothing_overlaps(name, devices, n):
    for f, i, w in F_EQUALS_I:
        assert atomic(name, devices, n, (f, i, w)) == published(name, devices, f + i + w, i, w)


@pytest.mark.parametrize("costs", [(2, 3, 1), (1, 2, 2), (1, 2, 1), (4, 5, 3)])
def test_where_input_halves_are_longer_the_formula_of_dualpipev_is_too_high(costs):
    f, i, w = costs
    assert atomic("dualpipev", 4, 8, costs) < published("dualpipev", 4, f + i + w, i, w)


@pytest.mark.parametrize("costs", [(3, 1, 2), (1, 1, 3)])
def test_where_forwards_or_weight_halves_are_longer_it_is_too_low(costs):
    """[derived] As the paper has it the formula is a bound neither from above nor from below."""
    f, i, w = costs
    assert atomic("dualpipev", 4, 8, costs) > published("dualpipev", 4, f + i + w, i, w)


@pytest.mark.parametrize(("name", "devices", "most"), [
    ("dualpipev", 2, 5), ("dualpipev", 4, 9), ("dualpipe", 4, 5), ("dualpipe", 8, 9)])
def test_what_dualpipe_holds(name, devices, most):
    """2P+1 chunks cut in half, P+1 in both directions, the pair's forward with its backward."""
    assert peaks(tokens(name, shape_of(name, devices, 2 * devices))) == [most] * devices


def test_pairs_as_two_steps_idle_half_at_equal_seconds():
    """Where a pair takes the sum, which is what it takes unless told, its forward is done first."""
    for devices in (2, 4, 6):
        n = 2 * devices
        assert max(idle("dualpipev", devices, n, (1, 1, 1)).run) == devices - 1
        assert atomic("dualpipev", devices, n, (1, 1, 1)) == 2 * (devices - 1)


@pytest.mark.parametrize(("pair", "seconds"), [(3, 63), (2.5, 59), (2, 52)])
def test_dualpipev_of_four_devices_and_ten_micro_batches(pair, seconds):
    trace = ran("dualpipev", shape_of("dualpipev", 4, 10), (1, 1, 1), pair)
    assert trace.end_s.max() == seconds


@pytest.mark.parametrize(("name", "devices", "n", "chunks", "costs"), some([
    (name, devices, n, 2 if name == "interleaved-zb" else 1, costs) for costs in COSTS
    for name in ("zb-h1", "zb-h2", "interleaved-zb", "zbv", "v-half", "v-min", "dualpipev",
                 "dualpipe") for devices, n in [(2, 4), (4, 8)]], 9))
def test_the_engine_agrees_with_a_walk_of_the_tokens(name, devices, n, chunks, costs):
    streams = tokens(name, shape_of(name, devices, n, chunks), two_ways=name == "dualpipe")
    steps = [[step for token in stream for step in token.strip("()").split(";")]
             for stream in streams]
    assert idle(name, devices, n, costs, chunks).run == walked(steps, seconds_of(*costs),
                                                               half=n // 2)
