"""What tables look like on a screen of some width."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

from rich.console import Console

WIDTHS = (80, 100, 120, 200)


def shown(things: Iterable[Any], width: int = 120) -> str:
    """What `things` print on a screen of so many columns, without colours."""
    screen = Console(file=io.StringIO(), width=width, color_system=None, highlight=False)
    for each in things:
        screen.print(each, markup=False)
    return str(screen.file.getvalue())
