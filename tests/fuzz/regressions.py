"""Inputs that once ended badly, by name."""

from __future__ import annotations

from typing import NamedTuple

from tests.fuzz.case import Case


class Found(NamedTuple):
    """A fault found once."""

    case: Case


FOUND: dict[str, Found] = {}
