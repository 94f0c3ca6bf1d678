"""`python -m analysis advise`: pipelines worth a try for a measured profile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sim.commands.bars import weighing
from sim.commands.door import console, json_option, print_json
from sim.commands.outputs import OUT_FOLDER


def whole_numbers(_: click.Context, option: click.Parameter, text: str | None) -> tuple[int, ...]:
    """`1,2,4` as whole numbers; none where the option is not given.  Raises ConfigurationError."""
    from sim.errors import ConfigurationError

    try:
        return tuple(int(each) for each in text.split(",")) if text is not None else ()
    except ValueError:
        raise ConfigurationError([f"{option.opts[0]}: whole numbers by comma, e.g. 1,2,4, got "
                                  f"{text!r}"]) from None


def several(_: click.Context, __: click.Parameter, text: str | None) -> tuple[str, ...]:
    """`a,b` as names; none where the option is not given."""
    return tuple(filter(None, (text or "").split(",")))


@click.command()
@click.argument("profile", type=click.Path(path_type=Path))
@click.option("--memory-limit", type=float, required=True, metavar="BYTES",
              help="Of each device, e.g. 16e9.")
@click.option("--devices", type=int, required=True,
              help="As many as the profile has stages, else these are layers to be cut.")
@click.option("--layers/--stages", "layers", default=None,
              help="Cut the profile's stages as layers, or keep them.  [default: as it has them]")
@click.option("--microbatches", callback=whole_numbers, metavar="A,B,…",
              help="Micro-batches per mini-batch to consider.  [default: 1,2,4,8]")
@click.option("--batch-size", "batch_sizes", callback=whole_numbers, metavar="A,B,…",
              help="Samples per mini-batch instead: multiples of the profile's microbatch_size.")
@click.option("--backward", type=click.Choice(["graph", "recompute", "both"]), default="both",
              show_default=True, help="Recompute keeps inputs alone and runs a stage again.")
@click.option("--state-copies", type=float, default=2.0, show_default=True,
              help="Arrays as large as the weights beside them: gradient and velocity.")
@click.option("--consistent", is_flag=True,
              help="Only where forward and backward read the same version (an interpolation "
                   "reads the stale one).")
@click.option("--schedules", callback=several, metavar="A,B,…", help="Consider these alone.")
@click.option("--mitigations", callback=several, metavar="A,B,…", help="Consider these alone.")
@click.option("--ways", callback=whole_numbers, metavar="A,B,…",
              help="Tensor ways to consider, of layers.  [default: powers of two]")
@click.option("--bandwidth", "bandwidth_bytes_per_s", type=float, metavar="BYTES_PER_S",
              help="Of the links, of layers.  [default: as measured, else without end]")
@click.option("--latency", "latency_s", type=float, metavar="SECONDS",
              help="Of the links, of layers.  [default: as measured]")
@click.option("--ring-bandwidth", "ring_bandwidth_bytes_per_s", type=float,
              metavar="BYTES_PER_S", help="Of the links between tensor ways.  [default: as others]")
@click.option("--ring-latency", "ring_latency_s", type=float, metavar="SECONDS",
              help="Of the links between tensor ways.  [default: as others]")
@click.option("--seconds", "within_s", type=float, default=60.0, show_default=True,
              metavar="SECONDS", help="Begin no more candidates after so many, of layers.")
@click.option("--search", "search_s", type=float, default=0.0, metavar="SECONDS",
              help="Search for better orders of what is never stale, of layers.")
@click.option("--all", "everything", is_flag=True, help="Also show what the front beats.")
@click.option("--out", type=OUT_FOLDER, default=None, metavar="DIR",
              help="Write an experiment per front point, the rows and a picture.")
@json_option
def advise(profile: Path, memory_limit: float, backward: str, everything: bool,
           out: Path | None, as_json: bool, **given: Any) -> None:
    """Schedules, mitigations and micro-batches worth a try for a measured profile.

    Of layers also where to cut them, replicas and tensor ways.
    """
    from analysis.advice.question import BACKWARDS, Question
    from analysis.terminal.advice_tables import advice_tables

    backwards = [each for each in BACKWARDS if backward in (each, "both")]
    advice = _advice(Question(profile, memory_limit, backwards=backwards, **given))
    written = [] if out is None else _write_advice(advice, out)
    if as_json:
        print_json(advice)
        return
    screen = console()
    for each in advice_tables(advice, everything):
        screen.print(each, markup=False)
    if written:
        click.echo(f"{len(written)} files written to {out}")


def _advice(question: Any) -> dict[str, Any]:
    """The answer, with a progress bar on standard error."""
    from analysis.advice.advise import advise as answer

    with weighing("weighing up") as watch:
        return answer(question, watch)


def _write_advice(advice: dict[str, Any], out: Path) -> list[Path]:
    """Experiment files, `advice.json`, and the picture with its rows as CSV."""
    import json
    import shlex

    from analysis.advice.files import experiment_files
    from figures.drawing.style import styled
    from figures.origin import save
    from figures.pictures.advice import draw, flat
    from sim.files.writing import write_text

    files = experiment_files(advice)
    files["advice.json"] = json.dumps(advice, indent=2, allow_nan=False) + "\n"
    rows = flat(advice)
    command = shlex.join(["python", "-m", "analysis", "advise", advice["profile"],
                          "--memory-limit", repr(advice["memory_limit_bytes"]),
                          "--devices", str(advice["devices"])])
    with styled():
        figure = draw(rows)
        for name, content in files.items():
            write_text(out / name, content)
        return [*(out / name for name in files), *save(figure, rows, out, "advice", command)]
