"""Options that say where a command writes: looked at before it begins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from sim.errors import OutputError


class OutputPath(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # click 8.3 has one
    """A path to write to, which `check` refuses where nothing could be written."""

    def __init__(self, name: str, check: Callable[[Path | str], Path]) -> None:
        self.name, self._check = name, check

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None
                ) -> Path:
        """The path as it was given.  Raises OutputError naming the option."""
        option = f"{param.opts[0]} " if param is not None else ""
        try:
            self._check(value)
        except OutputError as error:
            raise OutputError(f"{option}{error}") from None
        return Path(value)


def _file(path: Path | str) -> Path:
    from sim.files.writing import check_file  # with NumPy, which --help does without

    return check_file(path)


def _folder(path: Path | str) -> Path:
    from sim.files.writing import check_folder

    return check_folder(path)


OUT_FILE = OutputPath("file", _file)
OUT_FOLDER = OutputPath("folder", _folder)
