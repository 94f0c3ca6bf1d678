"""The ranks of a run: who we are, the store all share, the groups of torch.distributed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from gpu.errors import DeviceError

STORE_PATIENCE = timedelta(seconds=60)  # ranks of one run start within this
PATIENCE = timedelta(minutes=30)  # a slow stage is no fault; the heartbeat finds lost ranks


@dataclass(frozen=True)
class World:
    """Who this process is among the ranks of a run, and where they meet."""

    rank: int
    size: int
    local_rank: int
    host: str
    port: int

    @classmethod
    def of_environment(cls) -> World | None:
        """This process's place by torchrun's environment variables; None outside torchrun."""
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
        if not all(name in os.environ for name in names):
            return None
        rank, size, local, host, port = (os.environ[name] for name in names)
        return cls(int(rank), int(size), int(local), host, int(port))


def check_ranks(world: World, needed: int) -> None:
    """Make sure that torchrun started as many ranks as the program needs.  Raises DeviceError."""
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
    """Enter the group of all ranks, NCCL's on GPUs, gloo's on CPUs; a gloo group for control."""
    backend = "nccl" if device.type == "cuda" else "gloo"
    if backend == "nccl":
        torch.cuda.set_device(device)
    store = open_store(world, "groups")
    dist.init_process_group(backend, store=store, rank=world.rank, world_size=world.size,
                            timeout=PATIENCE)
    return dist.new_group(backend="gloo", timeout=PATIENCE)
