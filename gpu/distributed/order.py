"""Whether point-to-point messages can be issued in this order without blocking each other.

NCCL runs the operations of one communicator in the order they were issued on each rank, so two
ranks can block each other although every message has both its ends.  gloo hides this.  Here the
issue order of both ends of every link is put into one graph, and a cycle in it is a deadlock.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

import numpy as np

from sim.errors import InvalidProgramError
from sim.op import Op
from sim.order.program import Program


class Channel(NamedTuple):
    """One direction of one link between two devices: activations go down, gradients `up`."""

    source: int
    target: int
    up: bool


class Action(NamedTuple):
    """What a rank does about a message: `send` it, `post` a receive for it, or `wait` for it.

    A message is named by its RECV row.
    """

    kind: str
    message: int


def channels(program: Program) -> dict[Channel, list[int]]:
    """The RECV rows of each channel, in the receiver's order; channels sorted.

    Raises InvalidProgramError where sender and receiver disagree about the order.
    """
    found: defaultdict[Channel, list[int]] = defaultdict(list)
    source = program.arrives_from
    for row in np.flatnonzero(source >= 0).tolist():
        ends = int(program.device[source[row]]), int(program.device[row])
        found[Channel(*ends, bool(program.rows.op[row] == Op.RECV_B))].append(row)
    for channel, rows in found.items():
        sends = source[rows]
        if (np.diff(sends) < 0).any():
            at = int(np.argmax(np.diff(sends) < 0))
            raise InvalidProgramError(
                f"device {channel.target} receives {program.instruction(rows[at])} before "
                f"{program.instruction(rows[at + 1])}, device {channel.source} sends them the "
                "other way round")
    return dict(sorted(found.items()))


def issue_order(program: Program, ahead: int = 1) -> list[list[Action]]:
    """What each rank does about messages, in its order: a list of actions per device.

    `ahead` receives of every channel are posted before they are waited for.
    """
    queues = channels(program)
    orders: list[list[Action]] = [[] for _ in range(program.devices)]
    following: dict[int, int] = {}
    for channel, rows in queues.items():
        orders[channel.target] += [Action("post", row) for row in rows[:ahead]]
        following |= dict(zip(rows, rows[ahead:], strict=False))
    message = {int(program.arrives_from[row]): row for rows in queues.values() for row in rows}
    for row, device in enumerate(program.device.tolist()):
        if row in message:
            orders[device].append(Action("send", message[row]))
        elif program.arrives_from[row] >= 0:
            early = [] if ahead else [Action("post", row)]
            orders[device] += [*early, Action("wait", row)]
            if ahead and row in following:
                orders[device].append(Action("post", following[row]))
    return orders


def check_links(program: Program, *, per_direction: bool = True, ahead: int = 1) -> None:
    """Make sure that no messages of a lowered program would wait for each other on a communicator.

    `per_direction` says whether each direction of a link has its own communicator; `ahead` receives
    of each are posted early.  Raises InvalidProgramError naming the messages of the circle.
    """
    graph: defaultdict[Hashable, set[Hashable]] = defaultdict(set)
    of = {row: channel if per_direction else frozenset((channel.source, channel.target))
          for channel, rows in channels(program).items() for row in rows}
    for rank, order in enumerate(issue_order(program, ahead)):
        for before, after in _edges(rank, order, of):
            graph[after].add(before)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        cycle = [n for n in error.args[1] if isinstance(n, int)]
        names = " -> ".join(str(program.instruction(row)) for row in cycle)
        raise InvalidProgramError("messages would wait for each other on one communicator: "
                                  f"{names}") from None


def _edges(rank: int, order: list[Action], of: Mapping[int, Hashable]
           ) -> Iterator[tuple[Hashable, Hashable]]:
    """What must come before what: an int is a message's transfer, a pair a rank's action."""
    for before, after in itertools.pairwise(order):
        yield (rank, before), (rank, after)
    last: dict[Hashable, int] = {}
    for action in order:
        if action.kind == "wait":
            yield action.message, (rank, action)
            continue
        yield (rank, action), action.message
        communicator = of[action.message]
        if communicator in last:
            yield last[communicator], action.message
        last[communicator] = action.message
