"""The wide grid: every order and mitigation that a stage program has, found in the registries.

Nothing is listed by name: a schedule or mitigation that is registered takes part, and a pair that
the simulator refuses is left out.  The rows come so that any first few say as much as they can.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from sim.errors import ConfigurationError
from sim.experiment.options import Experiment
from sim.experiment.setup import Setup
from sim.mitigations import MITIGATIONS
from sim.order.program import Program
from sim.schedules import SCHEDULES

NETWORKS = ("resnet50", "vgg16")  # the papers' two
BATCHES, SIDES = (64, 16), (128, 224)
MICROBATCHES = (1, 4, 8)
CHUNKS = 2  # stages a device, of a schedule that can put several there
MINIBATCHES = 16
WITHIN_S = 480.0  # of nine minutes; the rest is for starting and for writing what was found
PLAIN = "none"  # the mitigation under which an order is run as it is
LITTLE = 2  # how many turns a mitigation waits where no weight is stale for it to mend

Changes = dict[str, Any]


def rows(experiment: Experiment, devices: int) -> list[Changes]:
    """What to change of `pipeline` for each order and mitigation there is on so many devices.

    The next one is always that whose order and mitigation have had the fewest turns.
    """
    pairs = list(_pairs(experiment, devices))
    turns: Counter[Any] = Counter()
    chosen: list[Changes] = []
    while pairs:
        best = min(pairs, key=lambda pair: turns[pair[0]] + turns[pair[1]] + pair[2])
        pairs.remove(best)
        turns.update(best[:2])
        chosen.append(best[3])
    return chosen


def _pairs(experiment: Experiment, devices: int) -> Iterator[tuple[int, str, int, Changes]]:
    """Number of an order, mitigation, turns it waits, and the changes that make the pair."""
    names = sorted(MITIGATIONS.names(), key=lambda name: name != PLAIN)
    for number, (program, order) in enumerate(orders(experiment, devices)):
        for name in names:
            changes = order | {"mitigation": name}
            try:
                setup = Setup.of(experiment.changed({"pipeline": changes}), program)
                plan = setup.versions(setup.program)
            except ValueError:  # a pair that does not go together
                continue
            stale = bool((plan.applied > plan.forward).any())
            yield number, name, 0 if stale or name == PLAIN else LITTLE, changes


def orders(experiment: Experiment, devices: int) -> list[tuple[Program, Changes]]:
    """Every order of a schedule, those that are alike once: its program, and what to change of
    `pipeline` for it.

    Orders with several homes of a stage are left out: their stages are not captured.
    """
    found: list[tuple[Program, Changes]] = []
    for count in MICROBATCHES:
        for schedule in SCHEDULES:
            chunks = CHUNKS if schedule.chunks else 1
            if schedule.homes > 1 or (schedule.like is not None and chunks == 1):
                continue
            changes = {"schedule": schedule.name, "microbatches": count, "chunks": chunks,
                       "stages": devices * chunks, "mitigation": PLAIN}
            try:
                program = Setup.of(experiment.changed({"pipeline": changes})).program
            except ConfigurationError:  # it has no order for this shape
                continue
            if all(program != other for other, _ in found):
                found.append((program, changes))
    return found


def in_turn(rows: int, sizes: int) -> list[tuple[int, int]]:
    """Every row at every size, as (row, size): first each row once, the sizes by turns, and so on.

    So the first few are of all sizes and of different rows.
    """
    return [(row, (row + turn) % sizes) for turn in range(sizes) for row in range(rows)]


def combinations(networks: Sequence[Any], batches: Sequence[Any], images: Sequence[Any]
                 ) -> list[tuple[Any, Any, Any]]:
    """Every network, batch and image size together; neighbours differ in the network."""
    return [(network, batch, image) for image in images for batch in batches
            for network in networks]
