"""The best order of a tiny pipeline by going through all of them; imports nothing of the product.

Micro-batches may overtake each other, backwards may be split or not, one by one.  A device starts
what comes next as soon as it can; a message keeps its link as long as the one before lets it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import product

Pass = tuple[str, int]  # F, I, W or B, and the micro-batch


@dataclass(frozen=True)
class Tiny:
    """One stage a device; seconds and bytes by stage, of links by boundary (`late`: latency)."""

    micro: int
    forward: tuple[float, ...]
    first: tuple[float, ...]
    second: tuple[float, ...]
    whole: tuple[float, ...]
    occupied: tuple[float, ...]
    late: tuple[float, ...]
    held: tuple[float, ...] = ()
    halved: tuple[float, ...] = ()
    room: float = float("inf")
    update: tuple[float, ...] = field(default=())


@cache
def orders_of_device(micro: int, split: bool, whole: bool) -> tuple[tuple[Pass, ...], ...]:
    """All orders in which one device can do its passes of so many micro-batches."""
    found = []
    for modes in product([mode for mode, there in (("IW", split), ("B", whole)) if there],
                         repeat=micro):
        chains = ["F" + mode for mode in modes]
        found += list(_interleaved(tuple(chains), tuple([0] * micro)))
    return tuple(found)


def _interleaved(chains: tuple[str, ...], done: tuple[int, ...]) -> Iterator[tuple[Pass, ...]]:
    if all(d == len(c) for d, c in zip(done, chains, strict=True)):
        yield ()
    for m, chain in enumerate(chains):
        if done[m] < len(chain):
            then = (*done[:m], done[m] + 1, *done[m + 1:])
            for rest in _interleaved(chains, then):
                yield ((chain[done[m]], m), *rest)


def fits(order: tuple[Pass, ...], held: float, halved: float, room: float) -> bool:
    now = 0.0
    for op, _ in order:
        now += {"F": held, "I": halved - held, "W": -halved, "B": -held}[op]
        if now > room:
            return False
    return True


def makespan(tiny: Tiny, orders: tuple[tuple[Pass, ...], ...]) -> float:
    """When all is done; inf where devices wait for each other for ever."""
    stages = len(orders)
    at, free = [0] * stages, [0.0] * stages
    there: dict[tuple[str, int, int], float] = {("F", 0, m): 0.0 for m in range(tiny.micro)}
    links: dict[tuple[str, int], float] = {}
    moved = True
    while moved:
        moved = False
        for k in range(stages):
            while at[k] < len(orders[k]):
                op, m = orders[k][at[k]]
                need = {"F": "F", "I": "G", "B": "G"}.get(op)
                came = there.get((need, k, m)) if need else 0.0
                if came is None:
                    break
                seconds = {"F": tiny.forward, "I": tiny.first, "W": tiny.second,
                           "B": tiny.whole}[op][k]
                free[k] = max(free[k], came) + seconds
                at[k] += 1
                moved = True
                if op == "F" and k == stages - 1:
                    there["G", k, m] = free[k]
                elif op == "F":
                    _send(there, links, ("F", k + 1, m), k, free[k], tiny)
                elif op in "IB" and k > 0:
                    _send(there, links, ("G", k - 1, m), k - 1, free[k], tiny)
    if any(a < len(o) for a, o in zip(at, orders, strict=True)):
        return float("inf")
    return max(f + u for f, u in zip(free, tiny.update or [0.0] * stages, strict=True))


def _send(there: dict[tuple[str, int, int], float], links: dict[tuple[str, int], float],
          message: tuple[str, int, int], boundary: int, now: float, tiny: Tiny) -> None:
    link = message[0], boundary
    links[link] = max(links.get(link, 0.0), now) + tiny.occupied[boundary]
    there[message] = links[link] + tiny.late[boundary]


def shortest(tiny: Tiny, *, split: bool = True, whole: bool = False) -> float:
    """The shortest makespan of all orders that have room."""
    stages = len(tiny.forward)
    held, halved = tiny.held or (0.0,) * stages, tiny.halved or tiny.held or (0.0,) * stages
    each = [[order for order in orders_of_device(tiny.micro, split, whole)
             if fits(order, held[k], halved[k], tiny.room)] for k in range(stages)]
    # of alike micro-batches the first device's forwards may be numbered as they come
    each[0] = [order for order in each[0]
               if [m for op, m in order if op == "F"] == list(range(tiny.micro))]
    return min(makespan(tiny, orders) for orders in product(*each))
