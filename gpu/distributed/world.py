"""The ranks of a run: who we are, the store all share, the groups of torch.distributed."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from gpu.errors import DeviceError, RankError
from sim.errors import shown

START_S = 30.0  # ranks of one run start within this
STORE_PATIENCE = timedelta(seconds=START_S)
LOOK_S = 0.05
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
        """This process's place by torchrun's environment variables; None outside torchrun.

        Raises DeviceError for variables that name no place.
        """
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
        if not all(name in os.environ for name in names):
            return None
        host = os.environ["MASTER_ADDR"]
        size, port = _number("WORLD_SIZE", 1, 4096), _number("MASTER_PORT", 1, 65535)
        return cls(_number("RANK", 0, size - 1), size, _number("LOCAL_RANK", 0, size - 1), host,
                   port)


def _number(name: str, least: int, most: int) -> int:
    """A whole number of the environment.  Raises DeviceError."""
    text = os.environ[name].strip()
    if not text.isdecimal() or len(text) > 10 or not least <= int(text) <= most:
        raise DeviceError(f"{name}: the environment's is a whole number from {least} to {most}, "
                          f"got {shown(text)}")
    return int(text)


def check_ranks(world: World, needed: int) -> None:
    """Make sure that torchrun started as many ranks as the program needs.  Raises DeviceError."""
    if world.size != needed:
        raise DeviceError(f"the program needs {needed} ranks, torchrun started {world.size}; set "
                          f"--nproc-per-node or pipeline.stages={world.size}")


def open_store(world: World, concern: str, *, host: bool = False) -> Any:
    """A connection of its own to the store all ranks share, so no other thread's wait blocks it.

    torchrun keeps the store; under another launcher rank 0 does, in its first call, with `host`.
    Raises DeviceError where rank 0 cannot, RankError where nobody keeps it.
    """
    from torch.distributed import PrefixStore, TCPStore  # type: ignore[attr-defined]

    agent = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    keeps = host and not world.rank and not agent
    try:
        store = TCPStore(world.host, world.port, is_master=keeps, wait_for_workers=False,
                         timeout=STORE_PATIENCE)
    except RuntimeError as error:
        where = f"{world.host}:{world.port}"
        if keeps:
            raise DeviceError(f"MASTER_ADDR, MASTER_PORT: rank 0 cannot listen at {where}: "
                              f"{shown(str(error).splitlines()[0], 200)}") from None
        raise RankError(0, f"or its launcher does not answer at {where} within "
                        f"{STORE_PATIENCE.total_seconds():g} s") from None
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return PrefixStore(f"pipestale/{attempt}/{concern}", store)


def wait_for_all(store: Any, world: World, within_s: float = START_S) -> None:
    """Say on the store that this rank is there, and wait until all are.

    Raises RankError naming the first that is not within `within_s` seconds, or rank 0 where the
    store is lost.
    """
    try:
        store.set(f"here/{world.rank}", "1")
        missing, until = list(range(world.size)), time.monotonic() + within_s
        while missing := [rank for rank in missing if not store.check([f"here/{rank}"])]:
            if time.monotonic() > until:
                more = f", nor have {len(missing) - 1} others" if len(missing) > 1 else ""
                raise RankError(missing[0], f"has not started within {within_s:g} s of this "
                                f"one{more}")
            time.sleep(LOOK_S)
    except (RuntimeError, OSError) as error:
        if isinstance(error, RankError):
            raise
        raise RankError(0, "or its launcher is lost: the store does not answer "
                        f"({type(error).__name__})") from None


def join(world: World, device: torch.device) -> Any:
    """Enter the group of all ranks, NCCL's on GPUs, gloo's on CPUs; a gloo group for control."""
    backend = "nccl" if device.type == "cuda" else "gloo"
    if backend == "nccl":
        torch.cuda.set_device(device)
    store = open_store(world, "groups")
    dist.init_process_group(backend, store=store, rank=world.rank, world_size=world.size,
                            timeout=PATIENCE)
    return dist.new_group(backend="gloo", timeout=PATIENCE)
