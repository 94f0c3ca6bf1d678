"""Messages between the devices of one process: a slot per message, whoever comes first waits."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from torch import Tensor

from gpu.lanes.streams import Lane, Mark
from sim.op import Op
from sim.order.program import Program


class Stopped(Exception):  # noqa: N818 - no error of its own: another worker's failure ends this one
    """The run is over before its end, since another worker failed."""


class Message(NamedTuple):
    """What arrived: tensors (batch, …) on the receiver's device, one per micro-batch, and when.

    `arrived` is the mark of their arrival.
    """

    tensors: list[Tensor]
    arrived: Mark


class Links(Protocol):
    """How a worker's SEND and RECV rows, by their numbers, reach the other devices."""

    def send(self, row: int, tensors: Sequence[Tensor], lane: Lane) -> None:
        """Hand over what `row` sends: a tensor (batch, …) for each of its micro-batches.

        Returns without waiting for the receiver.
        """

    def receive(self, row: int, lane: Lane) -> Message:
        """What `row` waits for, once its sender has asked for it.  Raises Stopped."""

    def stop(self) -> None:
        """Wake everybody who waits: they raise Stopped."""


class Mailboxes:
    """`Links` between lanes of one process: the sender copies, the receiver's stream waits."""

    def __init__(self, program: Program, lanes: Sequence[Lane]) -> None:
        self.source = program.arrives_from.tolist()
        self.home: dict[int, Lane] = {}
        for row, source in enumerate(self.source):
            if source >= 0:
                self.home[source] = lanes[int(program.device[row])]
        self.up = (program.rows.op == Op.SEND_B).tolist()
        self.there: dict[int, Message] = {}
        self.changed = threading.Condition()
        self.stopped = False

    def send(self, row: int, tensors: Sequence[Tensor], lane: Lane) -> None:
        message = Message(*lane.send(tensors, self.up[row], self.home[row]))
        with self.changed:
            self.there[row] = message
            self.changed.notify_all()

    def receive(self, row: int, lane: Lane) -> Message:
        source = self.source[row]
        with self.changed:
            self.changed.wait_for(lambda: self.stopped or source in self.there)
            if self.stopped:
                raise Stopped
            return self.there.pop(source)

    def stop(self) -> None:
        with self.changed:
            self.stopped = True
            self.changed.notify_all()
