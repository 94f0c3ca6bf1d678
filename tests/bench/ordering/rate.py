"""How many orders a search judges in a second, beside the exact engine on programs that are there.

Both find when the last device is done with the same order of eight stages and sixteen micro-batches
(384 passes); what a search does besides (choosing moves, checking memory, following the longest
path) is in its time.
"""

from __future__ import annotations

from collections.abc import Callable

from analysis.ordering.climbing.chain import Chain, Climber
from analysis.ordering.starts.named import named_orders
from analysis.ordering.streams import Streams, codes_of, program_of
from sim.experiment.setup import VirtualSetup
from sim.kernels.pairs import NUMPY, Kernels, installed
from sim.numerics.tasks import stream
from sim.times.exact.timeline import timeline
from tests.bench.measure import Ratio, in_turns, same
from tests.bench.ordering.instances import instance

SEED, REPEATS, ORDERS = 0, 5, 50
MOVES = {False: 3_000, True: 200_000}  # plain and compiled: some tenths of a second


def orders_judged(kernels: Kernels) -> list[Ratio]:
    """Orders a second of a search over those of the exact engine."""
    if kernels.compiled and not installed():
        return []
    problem = instance(SEED)
    streams = named_orders(problem)["zb-h1"]
    climber, codes = Climber(problem, kernels), codes_of(streams)
    makespan_s = climber.makespan_s(codes)
    engine = exact_engine(streams)
    same({"ours": makespan_s, "engine": engine()}, 0.0)
    judged: list[int] = []

    def ours() -> float:
        judged.append(climber.climb(Chain(codes, makespan_s, 1), MOVES[kernels.compiled], 0.0))
        return 0.0

    def theirs() -> float:
        return sum(engine() for _ in range(ORDERS))

    seconds = in_turns({"ours": ours, "theirs": theirs}, REPEATS, "judging orders")
    name, aim = ("", 100.0) if kernels.compiled else ("_plain", 3.0)
    return [Ratio(f"orders_judged{name}_over_exact_engine",
                  [judged[0] / each for each in seconds["ours"]],
                  [ORDERS / each for each in seconds["theirs"]], "orders/s", aim, True)]


def exact_engine(streams: Streams) -> Callable[[], float]:
    """The exact engine on the program of such streams: its makespan."""
    problem = instance(SEED)
    setup = VirtualSetup.of(problem.experiment, program_of(problem, streams))
    return lambda: float(timeline(setup.program, setup.costs, setup.cluster,
                                  stream(0, "jitter"), kernels=NUMPY).end_s.max())
