"""What is no problem of cutting, and why no cut fits."""

from __future__ import annotations

import numpy as np

from analysis.cuts.blocks import Blocks
from analysis.cuts.memory import bytes_of, held_by_stages, order_of
from analysis.cuts.problem import Problem
from sim.errors import ConfigurationError

MOST_WAYS = 2e7  # of layers · devices²: ways to begin a cut that are looked at together
MOST_DEEP = 512  # devices in a pipeline whose memory is counted from its program


def check(problem: Problem) -> None:
    """Refuse what is no problem.  Raises ConfigurationError with all that is wrong with it."""
    layers, problems = problem.layers, []
    many, known = len(layers.stages), layers.boundary_bytes
    if known is not None and len(known) != many - 1:
        problems.append(f"layers: {many} layers have {many - 1} boundary_bytes, got {len(known)}")
    for place in problem.narrow or ():
        if not 0 <= place < many - 1:
            problems.append(f"narrow: {many} layers can be cut after layers 0 to {many - 2}, got "
                            f"{place}")
    if not problem.levels or any(level.count < 1 for level in problem.levels):
        problems.append("levels: at least one, of at least 1 device each")
    for level in problem.levels:
        if not level.bandwidth_bytes_per_s > 0:
            problems.append("bandwidth: more than 0 bytes/s, got "
                            f"{level.bandwidth_bytes_per_s:g}")
        if not 0 <= level.latency_s < np.inf:
            problems.append(f"latency: from 0 seconds, got {level.latency_s:g}")
    problems += _too_many(problem)
    if problem.microbatches < 1:
        problems.append(f"microbatches: at least 1, got {problem.microbatches}")
    if problem.objective == "throughput" and problem.replicas and problem.microbatches > 1:
        problems.append("microbatches: replicas take whole mini-batches in turn under throughput, "
                        f"so 1, got {problem.microbatches}")
    if not problem.memory_limit_bytes > 0:
        problems.append(f"--memory-limit: bytes, more than 0, got {problem.memory_limit_bytes:g}")
    elif problem.memory_limit_bytes < np.inf:
        problems += _unknown(problem)
    if problems:
        raise ConfigurationError(problems)


def _too_many(problem: Problem) -> list[str]:
    """What would not end in time or fill the memory: every way to share very many devices."""
    if not problem.replicas:
        return []
    places = len(problem.layers.stages) if problem.narrow is None else len(problem.narrow) + 1
    by_level = problem.objective == "throughput"
    parts = max((level.count for level in problem.levels), default=0) if by_level \
        else problem.devices
    most = int((MOST_WAYS / places) ** 0.5)
    if parts > most:
        hint = "; give --levels, lowest first" if by_level else ""
        return [f"replicas: of {places} layers on at most {most} devices"
                f"{' of a level' * by_level}, got {parts}{hint}"]
    if problem.memory_limit_bytes < np.inf and problem.devices > MOST_DEEP:
        return [f"--memory-limit: with replicas on at most {MOST_DEEP} devices, got "
                f"{problem.devices}"]
    return []


def _unknown(problem: Problem) -> list[str]:
    """What a memory limit needs to know of layers, and nothing says."""
    needed = ["weight_bytes", "activation_bytes"]
    if problem.backward == "recompute" and problem.layers.boundary_bytes is None:
        needed.append("input_bytes")
    return [f"--memory-limit: no layer says its {name}" for name in needed
            if all(getattr(layer, name) is None for layer in problem.layers.stages)]


def open_depths(problem: Problem, what: str) -> str:
    """Why a mitigation's memory cannot be limited where the number of stages is left open."""
    return (f"--memory-limit: what {problem.mitigation} on {order_of(problem)} makes a stage hold "
            f"depends on how many stages there are, which {what} leave open; choose stash or none")


def nothing(problem: Problem, blocks: Blocks) -> str:
    """Why there is no cut: what the memory lacks, or that stages and devices do not match."""
    if problem.memory_limit_bytes < np.inf:
        first = held_by_stages(problem, 1)[0]
        least = max(float(bytes_of(problem, blocks, first)[i, i + 1]) for i in range(len(blocks)))
        return (f"--memory-limit: no cut fits {problem.memory_limit_bytes:g} bytes on each of "
                f"{problem.devices} devices with {order_of(problem)} and {problem.mitigation}; "
                f"the largest layer alone, in a pipeline of one stage, needs {least:g}")
    return f"devices: no cut uses all of {problem.devices} devices"
