"""`python -m analysis partition`: where to cut a network's measured layers into stages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sim.commands.bars import busy, counted
from sim.commands.door import console, json_option, print_json
from sim.commands.outputs import OUT_FOLDER


def listed(kind: Callable[[str], Any], said: str) -> Callable[..., tuple[Any, ...]]:
    """A callback that reads numbers by comma, `said` in words; none where the option is not given.

    It raises ConfigurationError for what is no number.
    """
    def read(_: click.Context, option: click.Parameter, text: str | None) -> tuple[Any, ...]:
        from sim.errors import ConfigurationError

        try:
            return () if text is None else tuple(kind(each) for each in text.split(","))
        except ValueError:
            raise ConfigurationError([f"{option.opts[0]}: {said} by comma, got {text!r}"]
                                     ) from None

    return read


whole_numbers, numbers = listed(int, "whole numbers"), listed(float, "numbers")


@click.command()
@click.argument("layers", type=click.Path(path_type=Path))
@click.option("--devices", type=int, required=True, metavar="N", help="That there are in all.")
@click.option("--replicas", is_flag=True, help="A stage may have several devices.")
@click.option("--microbatches", type=int, default=None, metavar="M",
              help="Of a mini-batch.  [default: 1; flush: 4 for each device]")
@click.option("--objective", type=click.Choice(["throughput", "flush"]), default="throughput",
              show_default=True, help="Endless runs, or mini-batches waited for one by one.")
@click.option("--bandwidth", "bandwidths", callback=numbers, metavar="B,…",
              help="Bytes/s of a link, or of each level's.  [default: the file's, else no limit]")
@click.option("--latency", "latencies", callback=numbers, metavar="A,…",
              help="Seconds of a link, or of each level's.  [default: the file's]")
@click.option("--levels", callback=whole_numbers, metavar="A,B,…",
              help="Levels of the network, lowest first: devices of a node, nodes, ….")
@click.option("--memory-limit", "memory_limit_bytes", type=float, default=None, metavar="BYTES",
              help="Of each device, e.g. 16e9.")
@click.option("--schedule", default=None, metavar="NAME",
              help="The order that will run.  [default: those that suit the objective]")
@click.option("--mitigation", default="stash", show_default=True, metavar="NAME",
              help="Whose versions count as memory.")
@click.option("--backward", type=click.Choice(["graph", "recompute"]), default="graph",
              show_default=True, help="Recompute keeps inputs alone and runs a stage again.")
@click.option("--state-copies", type=float, default=2.0, show_default=True,
              help="Arrays as large as the weights beside them: gradient and velocity.")
@click.option("--ways", callback=whole_numbers, default="1", show_default=True, metavar="P,…",
              help="Devices that share every stage's layers (tensor parallelism), to try.")
@click.option("--ring-bandwidth", type=float, default=None, metavar="B",
              help="Bytes/s between those.  [default: the lowest level's]")
@click.option("--ring-latency", type=float, default=None, metavar="A",
              help="Seconds of a message between those.  [default: the lowest level's]")
@click.option("--transfers", is_flag=True,
              help="The formula of flush counts messages, too (of throughput it does).")
@click.option("--most", type=int, default=None, metavar="N",
              help="Candidates to simulate, the best by formula first.  [default: as many as take "
                   "a few seconds, up to 16]")
@click.option("--out", type=OUT_FOLDER, default=None, metavar="DIR",
              help="Write the best one: partition.json, stages.json, experiment.toml.")
@json_option
def partition(layers: Path, out: Path | None, as_json: bool, **given: Any) -> None:
    """Cut a network's measured layers into stages, and simulate every candidate.

    LAYERS is a profile whose stages are layers (gpu profile --layers writes one), or PipeDream's
    graph.txt.
    """
    from analysis.planning.answer import answer, candidates
    from analysis.planning.question import Question
    from analysis.terminal.planned.partition_tables import partition_tables

    question = Question(layers, **given)
    problems = question.problems()
    with busy("cutting"):
        chosen, left_out = candidates(problems, question.most)
    with counted("simulating", sum(len(each.orders) for each in chosen)) as done:
        found = answer(question, chosen, left_out, done)
    written = [] if out is None else _write(found, problems, out)
    if as_json:
        print_json(found)
        return
    screen = console()
    for each in partition_tables(found):
        screen.print(each, markup=False)
    if written:
        click.echo(f"{len(written)} files written to {out}")


def _write(found: dict[str, Any], problems: dict[int, Any], out: Path) -> list[Path]:
    """The files of the best candidate; none where none fits."""
    from analysis.planning.files import plan_files
    from sim.files.writing import write_text

    files = plan_files(found, problems)
    for name, content in files.items():
        write_text(out / name, content)
    return [out / name for name in files]
