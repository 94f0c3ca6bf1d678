"""Messages between processes: torch.distributed, a rank per device of the program.

The deadlock-free form: a process group for every direction of every link, all made and warmed up
in one fixed order, and one receive posted ahead per direction (`gpu.distributed.order` proves it
for the program at hand).  gloo carries CPU tensors, NCCL those of GPUs.
Source: NCCL user guide (operations of a communicator run in issue order).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from gpu.distributed.order import Channel, channels, check_links
from gpu.distributed.world import PATIENCE
from gpu.lanes.streams import Lane
from gpu.runtime.assembly import Assembly
from gpu.runtime.links import Message
from sim.op import Op
from sim.order.program import Program


def expected(program: Program, assembly: Assembly, device: int
             ) -> dict[int, tuple[tuple[int, ...], int]]:
    """What each RECV row of a device brings: the shape of its tensors, and how many they are."""
    inputs = [each.input_shape for each in assembly.task.stage_sizes()]
    rows, found = program.rows, {}
    for row in range(*program.offsets[device : device + 2]):
        op, stage, count = (int(column[row]) for column in (rows.op, rows.stage, rows.count))
        if op in (Op.RECV_F, Op.RECV_B):
            found[row] = inputs[stage + (op == Op.RECV_B)], count
    return found


class RankLinks:
    """The `Links` of one rank: a process group per channel, receives posted one ahead.

    `begin` comes before the first message, when lanes have begun.
    Raises InvalidProgramError for an order in which messages would wait for each other.
    """

    def __init__(self, program: Program, assembly: Assembly, device: int, lane: Lane) -> None:
        check_links(program)
        self.lane = lane
        # Plain lists: a program makes `arrives_from` anew every time, and a NumPy number is slow
        self.source, self.device = program.arrives_from.tolist(), program.device.tolist()
        self.expected = expected(program, assembly, device)
        self.dtype = next(iter(assembly.task.models)).live.dtype
        self.groups: dict[Channel, Any] = {}
        self.peers: dict[Channel, int] = {}  # the other end's rank in the channel's group
        self.of: dict[int, Channel] = {}
        self.queues: dict[Channel, deque[int]] = {}
        self.receiver = {s: row for row, s in enumerate(self.source) if s >= 0}
        self.sending: dict[int, tuple[list[Any], list[Tensor]]] = {}  # by RECV row
        self.posted: dict[int, tuple[list[Any], list[Tensor]]] = {}
        for channel, rows in channels(program).items():
            group = dist.new_group([channel.source, channel.target], timeout=PATIENCE)
            self.groups[channel] = group
            if device in channel[:2]:
                other = channel.source if device == channel.target else channel.target
                self.peers[channel] = dist.get_group_rank(group, other)
            self.of |= dict.fromkeys([*rows, *(self.source[row] for row in rows)], channel)
            if channel.target == device:
                self.queues[channel] = deque(rows)
            if device in channel[:2]:
                self._warm_up(channel, group, device)

    def begin(self) -> None:
        """Post the first receive of every channel, once nobody will wait for all of a device.

        NCCL's receive is work on the device until its message has come, so a device with one
        posted is never at rest.
        """
        with self.lane.current():
            for channel in self.queues:
                self._post(channel)

    def _warm_up(self, channel: Channel, group: Any, device: int) -> None:
        """One message, so that no communicator is made while the pipeline runs."""
        token = torch.zeros(1, device=self.lane.device)
        if device == channel.source:
            dist.send(token, channel.target, group=group)
        else:
            dist.recv(token, channel.source, group=group)

    def _post(self, channel: Channel) -> None:
        """Post the next receive of a channel, if there is one left."""
        if not self.queues[channel]:
            return
        row = self.queues[channel].popleft()
        shape, count = self.expected[row]
        buffers = [torch.empty(shape, dtype=self.dtype, device=self.lane.device)
                   for _ in range(count)]
        group, peer = self.groups[channel], self.peers[channel]
        works = [group.recv([b], peer, 0) for b in buffers]  # `irecv` less its checks
        self.posted[row] = works, buffers

    def send(self, row: int, tensors: Sequence[Tensor], lane: Lane) -> None:
        channel, whole = self.of[row], [t.contiguous() for t in tensors]
        group, peer = self.groups[channel], self.peers[channel]
        works = [group.send([t], peer, 0) for t in whole]
        self.sending[self.receiver[row]] = works, whole

    def receive(self, row: int, lane: Lane) -> Message:
        works, buffers = self.posted.pop(row)
        for work in works:
            work.wait()
        arrived = lane.mark()
        self._post(self.of[row])
        self._let_go(self.source[row])
        return Message(buffers, arrived)

    def _let_go(self, seen: int) -> None:
        """Let go of what that device had received when it executed its row `seen`.

        gloo never reports a send as completed by itself; these are, so waiting costs nothing.
        """
        device = self.device
        for row in [r for r in self.sending if r < seen and device[r] == device[seen]]:
            for work in self.sending.pop(row)[0]:
                work.wait()

    def finish(self) -> None:
        """Wait until everything sent has left."""
        for works, _ in self.sending.values():
            for work in works:
                work.wait()
        self.sending.clear()

    def stop(self) -> None:
        pass
