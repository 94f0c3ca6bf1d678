"""`python -m analysis stability`: the largest stable learning rate under a delay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sim.commands.bars import busy, counted
from sim.commands.door import console, json_option, print_json
from sim.commands.outputs import OUT_FILE


@click.command()
@click.option("--mitigation", default="stash", show_default=True)
@click.option("--delay", type=int, default=1, show_default=True, help="In updates.")
@click.option("--momentum", type=float, default=0.9, show_default=True)
@click.option("--convention", default="ema", show_default=True, help="ema or heavy-ball.")
@click.option("--horizon", type=float, default=None,
              help="Updates a prediction looks ahead.  [default: the delay]")
@click.option("--decay", type=float, default=None,
              help="Of the interpolation's share of stale weights.  [default: 1]")
@click.option("--grid", is_flag=True, help="Every mitigation, delay 0 to 7, momentum 0 and 0.9.")
@click.option("--out", type=OUT_FILE, default=None, metavar="FILE",
              help="Also write the rows as CSV.")
@json_option
def stability(grid: bool, out: Path | None, as_json: bool, **given: Any) -> None:
    """Largest stable ηλ on the quadratic: by root location, and as the simulator shows it."""
    from analysis.terminal.theory_tables import stability_table
    from analysis.theory.stability import delayed_training
    from sim.files.writing import write_text
    from sim.rows import rows_as_csv

    case = delayed_training(**given)
    if grid:
        _refuse_with_grid(given)
    rows = _grid() if grid else _one(case)
    if out is not None:
        write_text(out, rows_as_csv(rows))
    if as_json:
        print_json(rows if grid else rows[0])
        return
    console().print(stability_table(rows))
    if out is not None:
        click.echo(f"{out} written")


def _refuse_with_grid(given: dict[str, Any]) -> None:
    """The grid has its own cases.  Raises ConfigurationError naming the options given."""
    from sim.errors import ConfigurationError

    context = click.get_current_context()
    extra = [f"--{name}" for name in given
             if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE]
    if extra:
        raise ConfigurationError([f"--grid has its own cases; leave out {', '.join(extra)}"])


def _one(case: Any) -> list[dict[str, Any]]:
    """One case, with a sign of life on standard error: a deep pipeline takes seconds."""
    from analysis.theory.measured_edge import measure
    from analysis.theory.stability import row

    with busy("measuring the edge"):
        return [row(case, *measure([case]))]


def _grid() -> list[dict[str, Any]]:
    """Every case of the full grid, with a progress bar on standard error."""
    from analysis.theory.stability import GRID, grid

    with counted("measuring edges", 4 * len(GRID)) as done:
        return list(grid(done=done))
