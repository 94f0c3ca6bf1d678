"""`python -m sim list`: everything that has a name, from the registries."""

from __future__ import annotations

from typing import Any

import click

from sim.commands.door import console, json_option, number, print_json

Entries = list[dict[str, Any]]


@click.command(name="list")
@json_option
def list_(as_json: bool) -> None:
    """Schedules, mitigations, optimizers, systems, ways workers combine, tasks: rule, source."""
    found = _listed()
    if as_json:
        print_json(found)
        return
    screen = console()
    for kind, entries in found.items():
        screen.print(_table(kind, entries))
        screen.print()


def _listed() -> dict[str, Entries]:
    from dataclasses import fields

    from sim.experiment.systems import SYSTEMS
    from sim.mitigations import MITIGATIONS
    from sim.numerics.optimizers import OPTIMIZERS
    from sim.numerics.tasks import TASKS
    from sim.schedules import SCHEDULES
    from sim.workers import COMBINES

    listed: dict[str, Entries] = {
        kind: [{"name": each.name, "rule": each.rule, "source": each.source}
               for each in registry]
        for kind, registry in (("schedules", SCHEDULES), ("mitigations", MITIGATIONS),
                               ("optimizers", OPTIMIZERS), ("systems", SYSTEMS),
                               ("workers", COMBINES), ("tasks", TASKS))}
    parametrised: dict[str, list[Any]] = {"mitigations": [*MITIGATIONS],
                                          "optimizers": [*OPTIMIZERS], "workers": [*COMBINES]}
    for name, kinds in parametrised.items():
        for entry, kind in zip(listed[name], kinds, strict=True):
            entry["parameters"] = {f.name: f.default for f in fields(kind)}
    for entry, system in zip(listed["systems"], SYSTEMS, strict=True):
        entry["reading"] = system.reading
    listed["tasks"].append({"name": "none", "rule": "timing and versions alone", "source": "–"})
    return listed


def _table(kind: str, entries: Entries) -> Any:
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, title=None, header_style="bold")
    table.add_column(kind, no_wrap=True)
    for column in ("rule", "source"):
        table.add_column(column, overflow="fold", ratio=1)
    for entry in entries:
        takes = "".join(f"\n{k}" + (f" = {number(v)}" if v is not None else ", by default none")
                        for k, v in entry.get("parameters", {}).items())
        choice = f"\n[choice] {entry['reading']}" if entry.get("reading") else ""
        table.add_row(entry["name"], escape(entry["rule"] + takes + choice),
                      escape(entry["source"]))
    return table
