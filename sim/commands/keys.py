"""`python -m sim keys` and `init`: every key of an experiment, as a list and as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sim.commands.door import console, json_option, print_json
from sim.commands.outputs import OUT_FILE

if TYPE_CHECKING:
    from sim.experiment.keys.listing import Key

WIDE = 132  # columns from which type and unit have columns of their own


@click.command()
@click.argument("names", nargs=-1, metavar="[TABLE|KEY…]")
@json_option
def keys(names: tuple[str, ...], as_json: bool) -> None:
    """Every key of an experiment: type, unit, default, meaning (of these tables or keys alone)."""
    from sim.experiment.keys.listing import every_key, table_line

    found = chosen(every_key(), names)
    if as_json:
        print_json([key.as_dict() for key in found])
        return
    screen = console()
    for table in dict.fromkeys(key.key.partition(".")[0] for key in found):
        screen.print(f"[{table}] {table_line(table)}", style="bold", markup=False)
        screen.print(_table(table, [k for k in found if k.key.partition(".")[0] == table],
                            screen.width))
        screen.print()
    if not names:
        screen.print("Set one with --set KEY=VALUE, with or without its table; python -m sim init "
                     "FILE makes a file of all; python -m sim list has the parameters of names.",
                     markup=False)


def chosen(every: list[Key], names: tuple[str, ...]) -> list[Key]:
    """The keys that tables or keys are named of, bare or dotted; all without names.

    Raises ConfigurationError for one there is not.
    """
    from sim.errors import ConfigurationError, unknown
    from sim.experiment.documents import full_key

    known = {key.key for key in every}
    tables = list(dict.fromkeys(key.key.partition(".")[0] for key in every))
    paths = [full_key(name) for name in names]
    strange = [name for name, path in zip(names, paths, strict=True)
               if path not in known and path not in tables]
    if strange:
        bare = [key.name for key in every if key.table in tables]
        raise ConfigurationError([unknown("table or key", name, tables, [*bare, *known])
                                  for name in strange])
    return [key for key in every if not names
            or any(key.key == path or key.key.startswith(f"{path}.") for path in paths)]


def _table(section: str, found: list[Key], width: int) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    wide = width >= WIDE
    table.add_column("key", no_wrap=True)
    for column in ("type", "unit") if wide else ():
        table.add_column(column)
    table.add_column("default", overflow="fold", max_width=24 if wide else 16)
    table.add_column("meaning", overflow="fold")
    for key in found:
        names = " | ".join(key.choices)
        kind = [key.type, key.unit] if wide else []
        plain = wide or (key.choices and key.type == "name")  # which the names say
        below = [] if plain else [", ".join(filter(None, (key.type, key.unit)))]
        meaning = Text("\n").join([Text(key.meaning),
                                   *(Text(line, "dim") for line in (*below, names) if line)])
        table.add_row(Text(key.key.removeprefix(f"{section}.")), *map(Text, kind),
                      Text(key.without), meaning)
    return table


@click.command()
@click.argument("file", required=False, metavar="[FILE]", type=OUT_FILE)
def init(file: Path | None) -> None:
    """Write an experiment file with every key, its meaning and its default.

    Without FILE it is printed; one that is there already stays as it is.
    """
    from sim.experiment.keys.template import template

    if file is None:
        click.echo(template(), nl=False)
        return
    _write_new(file, template())
    click.echo(f"written to {file}; run it with: python -m sim run {file}")


def _write_new(file: Path, text: str) -> None:
    """Write a file that is not there yet.  Raises OutputError where it is."""
    from sim.errors import OutputError
    from sim.files.writing import write_text

    if file.exists():
        raise OutputError(f"{file} is there already; name another file")
    write_text(file, text)
