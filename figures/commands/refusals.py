"""A wrong value of an option, told in one line as every other mistake is."""

from __future__ import annotations

from typing import NoReturn

import click


def refuse(param: click.Parameter | None, message: str) -> NoReturn:
    """Say of an option what its value should be.  Raises ConfigurationError."""
    from sim.errors import ConfigurationError

    option = f"{param.opts[0]}: " if param is not None else ""
    raise ConfigurationError([f"{option}{message}"])
