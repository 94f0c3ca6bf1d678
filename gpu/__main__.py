"""The door of the torch backend: `python -m gpu run …`, also under torchrun."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from sim.door import experiment_argument, json_option, print_json

if TYPE_CHECKING:
    from gpu.assembly import Assembly, RunSettings
    from gpu.devices import DeviceSpec
    from gpu.distributed import World
    from sim.configuration import Experiment
    from sim.trace import Trace


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Run pipeline programs on real ResNet stages: CPU threads, GPUs, or ranks of torchrun."""


@main.command()
@experiment_argument
@click.option("--model", default="narrow", show_default=True, help="narrow, resnet50 or vgg16.")
@click.option("--devices", default="cpu,cpu", show_default=True,
              help="cpu,cpu or cuda:0,cuda:1 or cuda:0/2 (one GPU as two).")
@click.option("--image-size", type=click.IntRange(min=8), help="Side in pixels.")
@click.option("--classes", type=click.IntRange(min=2), help="Classes of the synthetic images.")
@click.option("--loss", type=click.Choice(["cross-entropy", "mse"]), default="cross-entropy")
@click.option("--optimizer", type=click.Choice(["momentum", "adam"]), default="momentum")
@click.option("--dtype", type=click.Choice(["float32", "float64"]), default="float32")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True,
              help="Threads of one CPU operation; results differ with their number.")
@click.option("--keep-going", is_flag=True, help="Record a divergence instead of stopping at it.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="TRACE.npz")
@json_option
def run(experiment: Path | None, settings: tuple[str, ...], model: str, devices: str,
        image_size: int | None, classes: int | None, loss: str, optimizer: Any, dtype: str,
        threads: int, keep_going: bool, out: Path | None, as_json: bool) -> None:
    """Execute one experiment on real stages and write its trace.

    Without pipeline.stages in the experiment there are as many stages as devices.  Under
    torchrun every rank is a device and rank 0 writes.
    """
    from gpu.assembly import RunSettings

    wanted = RunSettings(model, image_size, classes, loss, optimizer, dtype)
    trace = _guarded(lambda: _run(experiment, settings, devices, wanted, threads,
                                  not keep_going, out))
    if trace is not None:
        values = summary(trace)
        print_json(values) if as_json else click.echo(_table(values))


def _run(path: Path | None, settings: tuple[str, ...], devices: str, wanted: RunSettings,
         threads: int, strict: bool, out: Path | None) -> Trace | None:
    from gpu.determinism import exact
    from gpu.devices import check_devices, open_lanes, parse_devices
    from gpu.distributed import World
    from gpu.runtime import run as run_here

    exact(threads)
    specs, world = parse_devices(devices), World.of_environment()
    experiment = _experiment(path, settings, world.size if world else len(specs))
    _check_out(out)
    if world:
        trace = _run_rank(world, specs, experiment, wanted, strict)
    else:
        check_devices(specs, experiment.pipeline.shape.devices)
        assembly = _assemble(experiment, wanted, [spec.device for spec in specs])
        trace = run_here(assembly, open_lanes(specs), strict=strict)
    if trace is not None and out is not None:
        _save(trace, out)
    return trace


def _save(trace: Trace, out: Path) -> None:
    try:
        trace.save(out)
    except OSError as error:
        raise OSError(f"--out {out}: {error.strerror}") from None


def _run_rank(world: World, specs: list[DeviceSpec], experiment: Experiment,
              wanted: RunSettings, strict: bool) -> Trace | None:
    import torch

    from gpu.devices import open_lanes, rank_spec
    from gpu.distributed import check_ranks
    from gpu.ranks import run_rank

    check_ranks(world, experiment.pipeline.shape.devices)
    spec = rank_spec(specs, world.local_rank)
    lane = open_lanes([spec])[0]
    lane.name = f"rank {world.rank} {spec}"
    homes = [spec.device if r == world.rank else torch.device("cpu") for r in range(world.size)]
    return run_rank(world, lane, lambda: _assemble(experiment, wanted, homes),
                    strict=strict)


def _assemble(experiment: Experiment, wanted: RunSettings, devices: list[Any]) -> Assembly:
    from gpu.assembly import assemble

    return assemble(experiment, wanted, devices)


def _experiment(path: Path | None, settings: tuple[str, ...], devices: int) -> Experiment:
    from sim.configuration import read_experiment

    experiment = read_experiment(path, settings)
    if "stages" not in experiment.pipeline.model_fields_set:
        experiment = read_experiment(path, (*settings, f"pipeline.stages={devices}"))
    return experiment


def _check_out(out: Path | None) -> None:
    if out is not None:
        folder = next(p for p in (out.absolute().parents) if p.exists())
        if not folder.is_dir() or not os.access(folder, os.W_OK):
            raise OSError(f"--out {out}: {folder} is no folder that can be written to")


def _guarded(work: Callable[[], Trace | None]) -> Trace | None:
    """Run `work`; a user's mistake ends with code 2, a failed run with 1, each in clear lines."""
    from gpu.errors import DeviceError, RankError, StageError
    from sim.configuration import ConfigurationError
    from sim.validate import InvalidProgramError

    try:
        return work()
    except ConfigurationError as error:
        _end(2, *error.problems)
    except (DeviceError, InvalidProgramError, OSError) as error:
        _end(2, str(error))
    except StageError as error:
        _end(1, str(error))
    except RankError as error:
        _end(1, str(error), now=True)
    except KeyboardInterrupt:
        _end(130, "interrupted; nothing was written", now=True)


def _end(code: int, *lines: str, now: bool = False) -> NoReturn:
    """Say what is wrong and exit.

    `now`, as ever in a distributed run, waits for no thread: one may be held by another rank.
    """
    rank = f"[rank {os.environ['RANK']}] " if "RANK" in os.environ else ""
    for line in lines:
        print(f"{rank}error: {line}", file=sys.stderr)
    if now or rank:
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def summary(trace: Trace) -> dict[str, Any]:
    """The analysis room's report, and what only a run on real devices has to say."""
    from analysis.report import report

    gpu = trace.header["gpu"]
    return {**report(trace), "model": gpu["settings"]["model"], "devices": gpu["devices"],
            **{name: gpu[name] for name in ("threads", "launch_bound_fraction",
                                            "clock_residual_s", "weights_sha256")}}


def _table(values: dict[str, Any]) -> str:
    """The plain numbers; the nested ones are in the JSON and the trace."""
    shown = {name: value for name, value in values.items() if not isinstance(value, dict)}
    width = max(map(len, shown))
    return "\n".join(f"{name:{width}}  {value}" for name, value in shown.items())


if __name__ == "__main__":
    main(prog_name="python -m gpu")
