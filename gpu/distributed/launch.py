"""From what the user asked for to a trace: on threads, or as one rank of torchrun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from gpu.determinism import exact
from gpu.distributed.ranks import run_rank
from gpu.distributed.world import World, check_ranks
from gpu.errors import DeviceError
from gpu.lanes.devices import DeviceSpec, check_devices, open_lanes, parse_devices, rank_spec
from gpu.runtime.assembly import assemble
from gpu.runtime.run import Watch, run
from gpu.runtime.settings import RunSettings
from sim.errors import ConfigurationError
from sim.experiment.configuration import document_of
from sim.experiment.documents import full_key, put
from sim.experiment.options import Experiment, resolve
from sim.experiment.program_file import Taken, reshaped, taken, with_program
from sim.experiment.setup import generate
from sim.files.writing import check_file
from sim.order.program import Program
from sim.order.torch_csv.reading import without_messages
from sim.trace import Trace
from sim.wording import plural

Given = Path | Taken | Program | None  # a program to run: a file, one read from it, or as it is


@dataclass(frozen=True)
class Request:
    """A run as the command line asked for it; paths and texts are not checked yet.

    A `program`, given or in a file, is executed in place of the schedule's and gives the shape.
    `otherwise` are keys of the experiment where neither it nor a program says them.
    """

    experiment: Path | Experiment | None
    settings: tuple[str, ...]
    devices: str
    run: RunSettings
    threads: int = 1
    strict: bool = True
    out: Path | None = None
    program: Given = None
    otherwise: Mapping[str, Any] = field(default_factory=dict)


def launch(request: Request, watch: Watch | None = None) -> Trace | None:
    """Run an experiment on threads or as one rank of torchrun; its trace (None on all ranks but 0).

    With `request.out` the trace is also saved there.  Raises ConfigurationError, DeviceError,
    InvalidProgramError or OutputError before anything runs, StageError or RankError where the run
    fails.
    """
    exact(request.threads)
    specs, world = parse_devices(request.devices), World.of_environment()
    experiment, program = asked_for(request.experiment, request.settings,
                                    world.size if world else len(specs), request.program,
                                    **request.otherwise)
    if request.out is not None:
        check_file(request.out)
    if world:
        trace = _on_rank(world, specs, experiment, program, request)
    else:
        check_places(specs, experiment, program)
        assembly = assemble(experiment, request.run, [spec.device for spec in specs],
                            program=program)
        trace = run(assembly, open_lanes(specs), strict=request.strict, watch=watch)
    if trace is not None and request.out is not None:
        trace.save(request.out)
    return trace


def asked_for(asked: Path | Experiment | None, settings: tuple[str, ...], devices: int,
              program: Given = None, **otherwise: Any) -> tuple[Experiment, Program | None]:
    """The experiment, of a file or as it is, with a stage for every device unless it says how many.

    A `program` comes second, without messages of its own, and gives the experiment its shape; one
    of a file is repeated where mini-batches are asked for.  `otherwise` are defaults of other keys
    of `pipeline` and `training`, by bare name.  Raises ConfigurationError, also where several
    workers are asked for, or InvalidProgramError.
    """
    document = asked.document() if isinstance(asked, Experiment) else document_of(asked, settings)
    known = {key for section in ("pipeline", "training")
             if isinstance(table := document.get(section), dict) for key in table}
    shaped = {} if program is not None else {"stages": devices}
    for name, value in {**shaped, **otherwise}.items():
        if name not in known:
            put(document, full_key(name), value)
    if isinstance(program, Path):
        program = taken(program)
    if isinstance(program, Taken):
        experiment, program = with_program(document, program)
    else:
        experiment = resolve(document)
        experiment = experiment if program is None else reshaped(experiment, program)
    if program is not None:  # devices receive at the pass, which is to have it posted ahead
        program = without_messages(program)
    if experiment.workers.count > 1:
        raise ConfigurationError(["workers.count: the torch backend runs one worker, got "
                                  f"{experiment.workers.count}; sim runs several"])
    return experiment, program


def check_places(specs: Sequence[DeviceSpec], experiment: Experiment, program: Program | None
                 ) -> None:
    """Make sure that this machine has the devices, and one for each of those that are needed.

    Raises DeviceError, which of a program of the user's own says what its stages need.
    """
    if program is not None and len(specs) != program.devices:
        names = ",".join(map(str, specs))
        raise DeviceError(f"the program given has its {program.shape.stages} stages on "
                          f"{plural(program.devices, 'device')}, --devices names {len(specs)} "
                          f"({names}); name one for each")
    check_devices(specs, program.devices if program is not None else experiment.shape.devices)


def refuse_several(program: Program) -> None:
    """Refuse stages with several homes, whose gradients meet in one process's memory.

    Raises ConfigurationError.
    """
    if program.several:
        raise ConfigurationError(["pipeline.schedule: stages with several homes combine their "
                                  "gradients in one process; run it without torchrun, with a "
                                  "device for each in --devices"])


def _on_rank(world: World, specs: list[DeviceSpec], experiment: Experiment,
             program: Program | None, request: Request) -> Trace | None:
    refuse_several(program or generate(experiment))
    check_ranks(world, program.devices if program is not None else experiment.shape.devices)
    spec = rank_spec(specs, world.local_rank)
    lane = open_lanes([spec])[0]
    lane.name = f"rank {world.rank} {spec}"
    homes = [spec.device if r == world.rank else torch.device("cpu") for r in range(world.size)]
    return run_rank(world, lane,
                    lambda: assemble(experiment, request.run, homes, program=program),
                    strict=request.strict)
