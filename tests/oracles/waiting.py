"""When everything runs, as the longest paths of one explicit graph: pairs, messages, updates.

A moment is a node: a unit's start and end (a unit is an instruction, or a pair that runs as one),
a message's leaving and arrival, an exchange's end.  Nothing here knows rows, links or gates of the
product; a circle among moments is a deadlock (`graphlib.CycleError`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from itertools import pairwise

from sim.op import Op
from sim.order.instruction import Instruction
from sim.order.program import Program
from tests.oracles.readiness import done_by, needs

Unit = tuple[Instruction, ...]
RECEIVES = {Op.SEND_F: Op.RECV_F, Op.SEND_B: Op.RECV_B}


@dataclass
class Rules:
    """What a machine makes of an order; seconds of messages by what sends them."""

    seconds: Callable[[Unit], float]
    transfer: Callable[[Instruction], float]
    latency: Callable[[Instruction], float]
    receives: str = "holding"
    sends: str = "buffered"
    pairs: frozenset[Unit] = frozenset()  # that run as one
    tied: tuple[tuple[tuple[int, int], float], ...] = ()
    exchange: Callable[[int], float] | None = None  # of a stage between workers
    beside: bool = False


@dataclass
class Moments:
    """A graph of moments, each the latest of those before it and as many seconds later."""

    before: dict[Hashable, list[tuple[Hashable, float]]] = field(default_factory=dict)

    def after(self, node: Hashable, *others: tuple[Hashable, float]) -> None:
        self.before.setdefault(node, []).extend(others)
        for other, _ in others:
            self.before.setdefault(other, [])

    def values(self) -> dict[Hashable, float]:
        order = TopologicalSorter({node: [other for other, _ in before]
                                   for node, before in self.before.items()}).static_order()
        found: dict[Hashable, float] = {}
        for node in order:
            found[node] = max((found[other] + late for other, late in self.before[node]),
                              default=0.0)
        return found


def times(program: Program, rules: Rules) -> dict[Instruction, tuple[float, float]]:
    """Start and end of every instruction."""
    moments = Moments()
    streams = [units(list(program.stream(d)), rules.pairs) for d in range(program.devices)]
    unit_of = {each: unit for stream in streams for unit in stream for each in unit}
    device = {each: d for d, stream in enumerate(streams) for unit in stream for each in unit}
    for stream in streams:
        for number, unit in enumerate(stream):
            moments.after(("start", unit),
                          *([(("end", stream[number - 1]), 0.0)] if number else []))
            moments.after(("end", unit), (("start", unit), rules.seconds(unit)))
    _messages(moments, program, rules, streams, unit_of, device)
    _updates(moments, program, rules, unit_of, device)
    found = moments.values()
    return {each: (found["start", unit], found["end", unit]) for each, unit in unit_of.items()}


def units(stream: list[Instruction], pairs: frozenset[Unit]) -> list[Unit]:
    """A stream with pairs as one."""
    found: list[Unit] = []
    while stream:
        size = 2 if tuple(stream[:2]) in pairs else 1
        found.append(tuple(stream[:size]))
        stream = stream[size:]
    return found


def _messages(moments: Moments, program: Program, rules: Rules, streams: list[list[Unit]],
              unit_of: dict[Instruction, Unit], device: dict[Instruction, int]) -> None:
    table = done_by(program)
    last, place = program.shape.stages - 1, {}
    for stream in streams:
        for number, unit in enumerate(stream):
            place.update({each: (stream, number) for each in unit})
    sent: dict[Instruction, Instruction] = {}  # what sends a message: what receives it
    passes: dict[Instruction, list[Instruction]] = defaultdict(list)
    for each in unit_of:
        if each.op in RECEIVES:
            step = 1 if each.op is Op.SEND_F else -1
            sent[each] = table[RECEIVES[each.op].name, each.stage + step, each.index]
        elif each.op <= Op.U:
            for source in needs(table, each, last):
                if device[source] != device[each]:
                    passes[source].append(each)
    if not sent:
        sent = {source: one for source, (one,) in passes.items()}
        lowered = False
    else:
        lowered = True
    for senders in _by_link(sent, device).values():
        before = None
        for each in senders:
            leaves = ("leaves", each)
            moments.after(leaves, (("end", unit_of[each]), rules.transfer(each)),
                          *([(before, rules.transfer(each))] if before else []))
            moments.after(("here", each), (leaves, rules.latency(each)))
            before = leaves
        served = None
        for each in sorted(senders, key=lambda each: place[sent[each]][1]):
            receiver, here = sent[each], ("here", each)
            if lowered and rules.receives != "holding":
                if rules.receives == "in-order":
                    moments.after(("served", each), (here, 0.0),
                                  *([(served, 0.0)] if served else []))
                    here = served = ("served", each)
                name = "F" if receiver.op is Op.RECV_F else "B"
                receiver = table[name, receiver.stage, receiver.index]
            moments.after(("start", unit_of[receiver]), (here, 0.0))
            stream, number = place[sent[each]]
            if lowered and rules.sends == "rendezvous" and number:
                moments.after(("start", unit_of[each]), (("end", stream[number - 1]), 0.0))


def _by_link(sent: dict[Instruction, Instruction], device: dict[Instruction, int]
             ) -> dict[tuple[int, int], list[Instruction]]:
    """What sends on each link in the order it does; `sent` is in the order of the streams."""
    found = defaultdict(list)
    order = {each: number for number, each in enumerate(device)}
    for each in sorted(sent, key=order.__getitem__):
        found[device[each], device[sent[each]]].append(each)
    return found


def _updates(moments: Moments, program: Program, rules: Rules, unit_of: dict[Instruction, Unit],
             device: dict[Instruction, int]) -> None:
    shape, backward, update = program.shape, defaultdict(list), {}
    for each in unit_of:
        number = each.index // shape.microbatches
        if each.op is Op.U:
            update[each.stage, number] = each
        elif each.op in (Op.B, Op.W):
            backward[each.stage, number].append(each)
    gate: dict[Instruction, list[Hashable]] = defaultdict(list)
    seconds: dict[Instruction, float] = defaultdict(float)
    for pair, late in rules.tied:
        for (stage, number), each in update.items():
            if stage in pair:
                gate[each] += [("end", unit_of[one]) for k in pair for one in backward[k, number]]
                apart = device[update[pair[0], number]] != device[update[pair[1], number]]
                seconds[each] += late if apart else 0.0
    if rules.exchange is not None:
        _workers(moments, program, rules, update, backward, unit_of, device, gate, seconds)
    for each, nodes in gate.items():
        moments.after(("start", unit_of[each]), *((node, seconds[each]) for node in nodes))


def _workers(moments, program, rules, update, backward, unit_of, device, gate, seconds) -> None:
    """All workers' updates of a stage number u wait for all their backwards of it."""
    workers, shape = program.shape.workers, program.shape
    queues = defaultdict(list)
    for stage in range(shape.stages):
        for own in range(shape.minibatches // workers):
            ours = [own * workers + w for w in range(workers)]
            nodes = [("end", unit_of[one]) for n in ours for one in backward[stage, n]]
            late = rules.exchange(stage)
            if rules.beside:
                exchange = ("exchange", stage, own)
                moments.after(exchange, *((node, late) for node in nodes))
                ready = max(list(device).index(one) for one in backward[stage, ours[0]])
                queues[device[update[stage, ours[0]]]].append((ready, exchange, late))
                nodes, late = [exchange], 0.0
            for number in ours:
                gate[update[stage, number]] += nodes
                seconds[update[stage, number]] += late
    for queue in queues.values():
        queue.sort()
        for (_, first, _), (_, then, late) in pairwise(queue):
            moments.after(then, (first, late))
