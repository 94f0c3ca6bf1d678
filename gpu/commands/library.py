"""What `import gpu` gives to Python: an experiment on real stages, and a validation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpu.commands.cuts import OWN_CUT, AskedCut, counted
from gpu.commands.options import GRAPHS
from gpu.commands.validate import MODEL, Asked, validated
from sim.errors import ConfigurationError, missing_part, unknown

if TYPE_CHECKING:
    from sim.library import asking
    from sim.order.program import Program
    from sim.trace import Trace


def run(experiment: asking.Asked = None, /, *, devices: str = "cpu,cpu", model: str = "narrow",
        image_size: int | None = None, classes: int | None = None, loss: str = "cross-entropy",
        dtype: str = "float32", threads: int = 1, keep_going: bool = False,
        graphs: str = "auto", program: asking.Order = None, cut: Sequence[int] | None = None,
        **keys: Any) -> Trace:
    """Execute one experiment on real stages; its trace, with measured times in seconds.

    `experiment` and `keys` as `sim.run` takes them; without pipeline.stages there are as many
    stages as `devices` (`cpu,cpu`, `cuda:0,cuda:1`, or `cuda:0/2` for one GPU as two).  A
    `program`, or the file of one, is executed in place of a schedule's, and gives the shape; a
    `cut` has the number of layers of each stage (without one the network's own).  A divergence is
    raised unless `keep_going` records it.  `graphs` says whether stages are captured as CUDA
    graphs: auto (where they run on CUDA), on, off.  Sets torch's number of threads and its
    deterministic mode for the whole process.

    Raises ConfigurationError, DeviceError or InvalidProgramError before anything runs,
    StageError where the run fails, MissingPartError without torch.
    """
    with _torch():
        from gpu.distributed.launch import Request, launch
        from gpu.runtime.settings import RunSettings
    from sim.library.asking import experiment_of

    chosen = _cut(cut)
    wanted = RunSettings(model, image_size, classes, loss, dtype=dtype, graphs=_graphs(graphs),
                         cut=chosen.layers)
    trace = launch(Request(experiment_of(experiment, keys), (), devices, wanted, threads,
                           not keep_going, program=_order(program), otherwise=chosen.keys))
    if trace is None:
        raise RuntimeError("only rank 0 of torchrun has the trace; use python -m gpu run there")
    return trace


def validate(experiment: asking.Asked = None, /, *, devices: str = "cpu,cpu",
             model: str | None = None, image_size: int | None = None,
             grid: str | Iterable[str] | None = None, batch_sizes: Sequence[int] = (),
             image_sizes: Sequence[int] = (), repeats: int = 3, within_s: float | None = None,
             out: str | PathLike[str] | None = None, graphs: str = "auto",
             program: asking.Order = None, cut: Sequence[int] | None = None, **keys: Any
             ) -> dict[str, Any]:
    """Profile, simulate, run and compare a grid of schedules and mitigations.

    What comes back is what `gpu validate` writes into `report.json`; it and the files beside it
    are also written where there is a folder `out`.  No run is begun that would not be done within
    `within_s` seconds.  `experiment` and `keys` as `sim.run` takes them, `grid` as `sim.compare`
    takes mitigations; without one it is what the command of that name does.  A `program` is
    validated under every mitigation of the grid that it admits; `graphs` and `cut` as `gpu.run`
    takes them.

    Raises ConfigurationError, DeviceError or OutputError before anything runs, StageError where a
    run fails, MissingPartError without torch.
    """
    with _torch():
        from gpu.runtime.settings import RunSettings
    from sim.library.asking import experiment_of

    names = grid if grid is None or isinstance(grid, str) else ",".join(grid)
    chosen = _cut(cut)
    wanted = RunSettings(model or MODEL, image_size, graphs=_graphs(graphs), cut=chosen.layers)
    return validated(experiment_of(experiment, keys), (), wanted, Asked(
        devices, names, batch_sizes, image_sizes, repeats, within_s,
        None if out is None else Path(out), "gpu.validate(…)", _order(program),
        (model,) if model else (), chosen))


def _order(program: asking.Order) -> Path | Program | None:
    """A program as it is, or the file of one."""
    from sim.order.program import Program

    return program if program is None or isinstance(program, Program) else Path(program)


def _cut(layers: Sequence[int] | None) -> AskedCut:
    """The cut with so many layers in each stage; the network's own without any."""
    return OWN_CUT if layers is None else counted(",".join(map(str, layers)))


def _graphs(asked: str) -> str:
    if asked not in GRAPHS:
        raise ConfigurationError([unknown("graphs", asked, list(GRAPHS))])
    return asked


@contextmanager
def _torch() -> Iterator[None]:
    """Imports inside that say what to install where torch is missing."""
    try:
        yield
    except ImportError as error:
        raise missing_part(error) or error from None
