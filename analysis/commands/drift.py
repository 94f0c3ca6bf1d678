"""`python -m analysis drift`: what to do about costs that drift, a policy a row."""

from __future__ import annotations

from pathlib import Path

import click

from sim.commands.asked import asked
from sim.commands.bars import estimated
from sim.commands.door import console, experiment_argument, json_option, print_json


@click.command()
@experiment_argument
@click.option("--policies", "names", default=None, metavar="A,B,…",
              help="Rows: static, greedy, replan, recut.  [default: all]")
@click.option("--every", type=click.IntRange(1, 10**6), default=10, show_default=True,
              help="Mini-batches after which an order or a cut may change.")
@click.option("--orders", default=None, metavar="A,B,…",
              help="Schedules to choose from.  [default: all that read no staler weights]")
@click.option("--rounds", type=click.IntRange(0, 10**9), default=0, show_default=True,
              help="Moves of a search for an order at every change, of orders that flush.")
@click.option("--gain", type=click.FloatRange(0, 1, max_open=True), default=0.01,
              show_default=True,
              help="Share of the time that is left that a change has to save.")
@click.option("--doubt", type=click.FloatRange(0, 100), default=0.0, show_default=True,
              help="Standard errors by which a measured pace has to differ to be believed.")
@click.option("--state-copies", type=click.FloatRange(0, 100), default=1.0, show_default=True,
              help="Arrays as large as its weights that a layer takes along where it moves.")
@click.option("--seeds", type=click.IntRange(1, 1000), default=1, show_default=True,
              help="Seeds to average over, counted from training.seed; rows are paired by them "
                   "with the first.")
@json_option
def drift(experiment: Path | None, settings: tuple[str, ...], names: str | None, every: int,
          orders: str | None, rounds: int, gain: float, doubt: float, state_copies: float,
          seeds: int, as_json: bool) -> None:
    """One order to the end, dispatch, new orders or new cuts: a row per policy under drift."""
    from analysis.drifting.policies import policies
    from analysis.drifting.problem import DriftProblem
    from analysis.drifting.study import rows as policy_rows
    from analysis.terminal.drifting.tables import drift_tables

    resolved, _ = asked(experiment, settings, None)
    chosen = policies(names)
    given = None if orders is None else tuple(each.strip() for each in orders.split(","))
    problem = DriftProblem(resolved, every, state_copies, given, rounds, gain, doubt)
    first = resolved.training.seed
    with estimated(len(chosen) * seeds) as done:
        rows = policy_rows(problem, chosen, range(first, first + seeds), done)
    if as_json:
        print_json(rows)
        return
    screen = console()
    for each in drift_tables(rows, problem, seeds):
        screen.print(each, markup=False)
