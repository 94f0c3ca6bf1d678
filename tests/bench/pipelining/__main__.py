"""`torchrun --nproc-per-node N -m tests.bench.pipelining`: one rank of the comparison.

On CPUs `make bench` starts two of these; on GPUs (`--devices cuda`) every rank takes the one of
its local rank, messages go over NCCL, and our stages are captured where they can be.  Rank 0
prints the table and, with `--out`, writes every step's seconds.
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median

import click
import torch.distributed as dist

from gpu.determinism import exact
from gpu.distributed.world import World, join
from gpu.lanes.devices import DeviceSpec, open_lanes, rank_spec
from tests.bench.pipelining.cases import LARGE, SMALL, Case, Work, cases
from tests.bench.pipelining.compare import compared
from tests.bench.pipelining.ratios import NAME, Seconds, ratios


@click.command()
@click.option("--devices", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--model", help="A network of your own choice in place of the two amounts of work.")
@click.option("--image-size", type=int, default=128, show_default=True, help="With --model.")
@click.option("--batch-size", type=int, default=64, show_default=True, help="With --model.")
@click.option("--microbatches", type=int, default=4, show_default=True, help="With --model.")
@click.option("--steps", type=click.IntRange(min=10), help="Steps of each case, in place of its "
              "own number.")
@click.option("--out", type=click.Path(path_type=Path), help="A JSON file of all seconds.")
def main(devices: str, model: str | None, image_size: int, batch_size: int, microbatches: int,
         steps: int | None, out: Path | None) -> None:
    """Our distributed runtime beside torch.distributed.pipelining, under torchrun."""
    world = World.of_environment()
    if world is None:
        raise click.UsageError("start it with torchrun --nproc-per-node N -m "
                               "tests.bench.pipelining")
    works = (SMALL, LARGE)
    if model:
        works = (Work(model, model, image_size, batch_size, microbatches),)
    asked = cases(works, world.size, **({"steps": steps} if steps else {}))
    found = measured(world, devices, asked)
    if world.rank == 0:
        if out:
            out.write_text(json.dumps([vars(each) for each in found]), encoding="utf-8")
        for ratio in ratios(found):
            click.echo(f"{ratio.name.removeprefix(NAME + '_')}: {ratio.value:.3f}  "
                       f"({1e3 * median(ratio.ours):.1f} ms : {1e3 * median(ratio.theirs):.1f} ms, "
                       f"{len(ratio.ours)} steps)")


def measured(world: World, devices: str, asked: list[Case]) -> list[Seconds]:
    """Every case in turn, on this rank's device."""
    exact()
    specs = [DeviceSpec(devices, index) for index in range(world.size)]
    lane = open_lanes([rank_spec(specs, world.local_rank)])[0]
    control = join(world, lane.device)
    found = [compared(case, world.rank, lane, control) for case in asked]
    dist.barrier(group=control)
    dist.destroy_process_group()
    return found


if __name__ == "__main__":
    main()
