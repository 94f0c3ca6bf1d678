"""Messages between processes: torch.distributed, a rank per device of the program.

The deadlock-free form: a process group for every direction of every link, all made and warmed up
in one fixed order, and one receive posted ahead per direction (`gpu.order` proves it for the
program at hand).  gloo carries CPU tensors, NCCL those of GPUs.
Source: NCCL user guide (operations of a communicator run in issue order).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from gpu.assembly import Assembly
from gpu.errors import DeviceError
from gpu.links import Message
from gpu.order import Channel, channels, check_links
from gpu.sizes import stage_sizes
from gpu.streams import Lane
from sim.instruction import Op
from sim.program import Program

STORE_PATIENCE = timedelta(seconds=60)  # ranks of one run start within this
PATIENCE = timedelta(minutes=30)  # a slow stage is no fault; the heartbeat finds lost ranks


@dataclass(frozen=True)
class World:
    """Who we are among the ranks, from the environment torchrun sets."""

    rank: int
    size: int
    local_rank: int
    host: str
    port: int

    @classmethod
    def of_environment(cls) -> World | None:
        """None outside torchrun."""
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
        if not all(name in os.environ for name in names):
            return None
        rank, size, local, host, port = (os.environ[name] for name in names)
        return cls(int(rank), int(size), int(local), host, int(port))


def check_ranks(world: World, needed: int) -> None:
    """Raises DeviceError where the program needs another number of ranks."""
    if world.size != needed:
        raise DeviceError(f"the program needs {needed} ranks, torchrun started {world.size}; set "
                          f"--nproc-per-node or pipeline.stages={world.size}")


def open_store(world: World, concern: str, *, host: bool = False) -> Any:
    """A connection of its own to the store all ranks share, so no other thread's wait blocks it.

    torchrun keeps the store; under another launcher rank 0 does, in its first call, with `host`.
    """
    from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

    agent = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    store = TCPStore(world.host, world.port, is_master=host and not world.rank and not agent,
                          wait_for_workers=False, timeout=STORE_PATIENCE)
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return PrefixStore(f"pipestale/{attempt}/{concern}", store)


def join(world: World, device: torch.device) -> Any:
    """Enter the group of all ranks; returns a gloo group for control messages."""
    backend = "nccl" if device.type == "cuda" else "gloo"
    if backend == "nccl":
        torch.cuda.set_device(device)
    store = open_store(world, "groups")
    dist.init_process_group(backend, store=store, rank=world.rank, world_size=world.size,
                            timeout=PATIENCE)
    return dist.new_group(backend="gloo", timeout=PATIENCE)


class RankLinks:
    """Links of one rank: a group per channel, receives posted one ahead."""

    def __init__(self, program: Program, assembly: Assembly, device: int, lane: Lane) -> None:
        check_links(program)
        self.program, self.lane = program, lane
        self.shapes = [each.input_shape for each in stage_sizes(assembly.task)]
        self.dtype = next(iter(assembly.task.models)).live.dtype
        self.groups: dict[Channel, Any] = {}
        self.of: dict[int, Channel] = {}
        self.queues: dict[Channel, deque[int]] = {}
        self.receiver = {int(s): row for row, s in enumerate(program.arrives_from) if s >= 0}
        self.sending: dict[int, tuple[list[Any], list[Tensor]]] = {}  # by RECV row
        self.posted: dict[int, tuple[list[Any], list[Tensor]]] = {}
        for channel, rows in channels(program).items():
            group = dist.new_group([channel.source, channel.target], timeout=PATIENCE)
            self.groups[channel] = group
            self.of |= dict.fromkeys([*rows, *program.arrives_from[rows].tolist()], channel)
            if channel.target == device:
                self.queues[channel] = deque(rows)
            if device in channel[:2]:
                self._warm_up(channel, group, device)
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
        stage, count = (int(column[row]) for column in (self.program.rows.stage,
                                                        self.program.rows.count))
        shape = self.shapes[stage + 1 if self.program.rows.op[row] == Op.RECV_B else stage]
        buffers = [torch.empty(shape, dtype=self.dtype, device=self.lane.device)
                   for _ in range(count)]
        works = [dist.irecv(b, channel.source, group=self.groups[channel]) for b in buffers]
        self.posted[row] = works, buffers

    def send(self, row: int, tensors: Sequence[Tensor], lane: Lane) -> None:
        channel, whole = self.of[row], [t.contiguous() for t in tensors]
        works = [dist.isend(t, channel.target, group=self.groups[channel]) for t in whole]
        self.sending[self.receiver[row]] = works, whole

    def receive(self, row: int, lane: Lane) -> Message:
        works, buffers = self.posted.pop(row)
        for work in works:
            work.wait()
        arrived = lane.mark()
        self._post(self.of[row])
        self._let_go(int(self.program.arrives_from[row]))
        return Message(buffers, arrived)

    def _let_go(self, seen: int) -> None:
        """Let go of what that device had received when it executed its row `seen`.

        gloo never reports a send as completed by itself; these are, so waiting costs nothing.
        """
        device = self.program.device
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
