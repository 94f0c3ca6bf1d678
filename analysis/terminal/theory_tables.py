"""Tables for the terminal of what theory says: stability edges and steady states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from sim.commands.door import number


def stability_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Stability edges for a screen: by roots, as measured, and how far apart the two are."""
    table = Table(title="largest stable ηλ on the quadratic", title_justify="left",
                  box=SIMPLE_HEAD, pad_edge=False)
    for name in ("mitigation", "convention", "backward"):
        table.add_column(name)
    for name in ("momentum", "delay", "horizon", "by roots", "measured", "apart"):
        table.add_column(name, justify="right")
    for row in rows:
        difference = row["relative_difference"]
        table.add_row(row["mitigation"], row["convention"], row["backward"],
                      *(number(row[key]) for key in ("momentum", "delay", "horizon")),
                      *(number(row[key], 5) for key in ("edge_roots", "edge_measured")),
                      "–" if difference is None else f"{100 * difference:.2f} %")
    return table


def steady_tables(found: dict[str, Any], shown: int = 12) -> list[Table | str]:
    """A steady state for a screen: its numbers, what to speed up, the critical cycle in one line.

    At most `shown` lines of the second and steps of the third.
    """
    rate, bubble = found["throughput_minibatches_per_s"], found["bubble_fraction"]
    late = found["staleness"]
    head = (f"{found['schedule']} · {found['mitigation']}: {number(found['period_s'], 6)} s per "
            f"mini-batch, {number(rate)} mini-batches/s, bubble {number(bubble)}, "
            f"staleness forward {number(late['forward'], 3)}; backward "
            f"{number(late['backward'], 3)}")
    table = Table(title="what to speed up", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("critical")
    table.add_column("share of the cycle", justify="right")
    for each in found["speed_up"][:shown]:
        table.add_row(each["name"], f"{100 * each['share']:.1f} %")
    left = len(found["speed_up"]) - shown
    more = [f"and {left} more (--json has all)"] if left > 0 else []
    return [head, table, *more, _cycle(found, shown)]


def _cycle(found: dict[str, Any], shown: int) -> str:
    """`1F i → 1B i → 1F i+1 …`: each with its mini-batch, i being the earliest, and micro-batch."""
    steps = [each["name"] + " i" + (f"+{each['minibatch']}" if each["minibatch"] else "")
             + (f".{each['microbatch']}" if each["microbatch"] is not None else "")
             for each in found["critical_cycle"]]
    text = " → ".join(steps[:shown])
    if len(steps) > shown:
        text += f" → … ({len(steps)} in all)"
    return f"critical cycle over {found['critical_minibatches']} mini-batch(es): {text}"
