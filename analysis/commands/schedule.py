"""`python -m analysis schedule`: a search for the order in which devices do their passes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sim.commands.clock import expected
from sim.commands.door import Number, console, json_option, print_json
from sim.commands.outputs import OUT_FILE


@click.command()
@click.argument("profile", type=click.Path(path_type=Path))
@click.option("--microbatches", type=int, default=None, metavar="M",
              help="Of a mini-batch; an experiment says it itself.")
@click.option("--memory-limit", "memory_limit_bytes", type=float, default=None, metavar="BYTES",
              help="Of each device, e.g. 16e9.  [default: no limit]")
@click.option("--max-staleness", type=int, default=0, show_default=True, metavar="U",
              help="Updates that weights may be behind; 0: flushed.")
@click.option("--seconds", type=Number(min=0.0), default=10.0, show_default=True, metavar="T",
              help="For the search; it ends early at the lower bound.")
@click.option("--rounds", type=click.IntRange(min=0), default=None, metavar="N",
              help="Steps of the search instead: the same order on every machine.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--devices", type=int, default=None, metavar="N",
              help="Cut PROFILE's layers into stages for so many.")
@click.option("--plan", type=click.Path(path_type=Path), default=None, metavar="FILE",
              help="Cut them as this answer of analysis partition says.")
@click.option("--mitigation", default=None, metavar="NAME",
              help="Whose versions count as memory.  [default: the experiment's, else stash]")
@click.option("--state-copies", type=float, default=0.0, show_default=True,
              help="Arrays as large as the weights beside them, e.g. 2: gradient and velocity.")
@click.option("--move-stages", is_flag=True, help="Stages may live on other devices.")
@click.option("--minibatches", type=click.IntRange(min=1), default=None, metavar="N",
              help="Of the program of an order without a flush.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE",
              help="A key of the experiment, e.g. latency_s=1e-3.")
@click.option("--out", type=OUT_FILE, default=None, metavar="PROGRAM",
              help="Write the order, for sim run --program and gpu run --program.")
@json_option
def schedule(profile: Path, seconds: float, rounds: int | None, seed: int, move_stages: bool,
             minibatches: int | None, out: Path | None, as_json: bool, **given: Any) -> None:
    """Search for an order: the best makespan of a flush, or period without one, under limits.

    PROFILE is one of stages, of layers with --devices or --plan, or an experiment (.toml).
    """
    from analysis.ordering.asked.answer import answer
    from analysis.ordering.asked.question import Question
    from analysis.terminal.planned.schedule_tables import schedule_tables

    problem = Question(profile, **given).problem()
    with expected("searching", seconds if rounds is None else None):
        found = answer(problem, seconds=seconds, rounds=rounds, seed=seed,
                       minibatches=minibatches, move_stages=move_stages)
    told = {"profile": str(profile), **found.told}
    written = [] if out is None else _write(found, out)
    if as_json:
        print_json(told)
        return
    screen = console()
    for each in schedule_tables(told):
        screen.print(each, markup=False)
    for path in written:
        click.echo(f"{path} written")


def _write(found: Any, out: Path) -> list[Path]:
    """The program, and beside it the profile of stages that were cut for it."""
    from sim.files.writing import write_text
    from sim.times.profile import write_profile

    write_text(out, found.told["program"] + "\n")
    if found.profile is None:
        return [out]
    stages = out.with_name(f"{out.stem}.stages.json")
    write_profile(found.profile, stages)
    return [out, stages]
