"""What commands that read runs of profilers share: `--mapping`, and what is said of such a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sim.trace import Trace

mapping_option = click.option(
    "--mapping", type=click.Path(path_type=Path), metavar="MAP.toml",
    help="Which ranges of a profiler's trace are passes; default: those PyTorch's pipelining "
         "names.")


def reader(mapping: Path | None) -> Callable[[str | Path], Trace]:
    """What reads a run from a file by a mapping's file, and says in a line what it found there.

    Raises ConfigurationError for a mapping that is none.
    """
    from analysis.measured.events import is_chrome
    from analysis.measured.mapping import read_mapping
    from analysis.measured.reading import read_run

    given = None if mapping is None else read_mapping(mapping)

    def read(path: str | Path) -> Trace:
        trace = read_run(path, given)
        line = told(trace)
        if line and is_chrome(path):
            click.echo(f"{path}: {line}", err=True)
        return trace

    return read


def told(trace: Trace) -> str:
    """What was found in a profiler's traces, in a line; nothing of a run of ours."""
    from sim.wording import plural

    gpu, shape = trace.header.gpu, trace.shape
    if gpu is None or "mapping" not in gpu.settings:
        return ""
    by = {"process": "a process", "thread": "a thread", "file": "a file", "stage": "a stage"}
    text = (f"{plural(shape.stages, 'stage')} on {plural(shape.devices, 'device')} "
            f"({by[gpu.settings['device']]} is one), {_batches(shape.minibatches, 'mini')} of "
            f"{_batches(shape.microbatches, 'micro')}")
    if gpu.settings.get("timed by") == "devices":
        text += ", by ranges that devices timed themselves"
    if gpu.clock_residual_s > 0:
        text += (f"; a pass ended {gpu.clock_residual_s:.3g} s before one it needs: ranges have "
                 "more inside than passes, or clocks are apart")
    return text


def _batches(count: int, kind: str) -> str:
    return f"{count} {kind}-batch{'es' * (count != 1)}"
