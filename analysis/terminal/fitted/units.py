"""Numbers of a table: one unit for all of a quantity, and as many decimals down a column."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

NONE = "–"  # what a row does not have
MOST_DECIMALS = 6


class Unit(NamedTuple):
    """A unit by its sign, and how many of the base unit (bytes, seconds) it is."""

    sign: str
    size: float

    def of(self, value: float | None) -> float | None:
        """A value of the base unit in this one; None stays."""
        return None if value is None else value / self.size


BYTES = (Unit("B", 1.0), Unit("kB", 1e3), Unit("MB", 1e6), Unit("GB", 1e9), Unit("TB", 1e12))
SECONDS = (Unit("ns", 1e-9), Unit("µs", 1e-6), Unit("ms", 1e-3), Unit("s", 1.0))
PERCENT = Unit("%", 0.01)


def unit_for(values: Iterable[float | None], units: Sequence[Unit]) -> Unit:
    """The unit of those given, smallest first, in which the largest value is 1 or more.

    Of nothing but zeros the one that is 1.
    """
    top = max((abs(value) for value in values if value is not None), default=0.0)
    if not top:
        return next(unit for unit in units if unit.size == 1)
    return max((unit for unit in units if unit.size <= top), default=units[0],
               key=lambda unit: unit.size)


def bytes_text(size: float) -> str:
    """One number of bytes with its unit: `1.92 GB`."""
    unit = unit_for([size], BYTES)
    return f"{short(size / unit.size, 4)} {unit.sign}"


def seconds_text(seconds: float | None, digits: int = 6) -> str:
    """One duration with its unit: `124 s`, `3.2 ms`."""
    if seconds is None:
        return NONE
    unit = unit_for([seconds], SECONDS)
    return f"{short(seconds / unit.size, digits)} {unit.sign}"


def percent_text(share: float | None, digits: int = 3) -> str:
    """One share in percent: `3.23 %`."""
    return NONE if share is None else f"{short(100 * share, digits)} %"


def short(value: float | None, digits: int) -> str:
    """A number in so many significant digits; up to a million whole where it has more before the
    point."""
    if value is None:
        return NONE
    if 10**digits <= abs(value) < 1e6:
        return f"{value:.0f}"
    text = f"{value:.{digits}g}"
    return "0" if float(text) == 0 else text


def aligned(values: Sequence[float | None], digits: int = 3, least: int = 2) -> list[str]:
    """The cells of a column of numbers, `–` for none: all with as many decimals as the largest
    needs for so many digits, fewer where these say it all; what is 0 is no rounded number.

    Where that would leave less than `least` digits of a small one, each has its own.
    """
    known = [abs(value) for value in values if value is not None and math.isfinite(value)]
    top = max(known, default=0.0)
    decimals = 0 if not top else min(MOST_DECIMALS,
                                     max(0, digits - 1 - math.floor(math.log10(top))))
    small = 10.0 ** (least - 1 - decimals)
    if any(0 < value < small and not _exact(value, decimals) for value in known) or top >= 1e6:
        return [short(value, digits) for value in values]
    while decimals and all(_exact(value, decimals - 1) for value in known):
        decimals -= 1
    return [NONE if value is None else f"{value:.{decimals}f}" if value else "0"
            for value in values]


def _exact(value: float, decimals: int) -> bool:
    """Whether so many decimals say a value as well as more would."""
    return math.isclose(float(f"{value:.{decimals}f}"), value, rel_tol=1e-9)


def in_percent(shares: Sequence[float | None]) -> list[str]:
    """The cells of a column of shares, in percent: one decimal where any is 10 % or more."""
    top = max((abs(share) for share in shares if share is not None), default=0.0)
    return aligned([PERCENT.of(share) for share in shares], 4 if top >= 0.9995 else 3, 1)


def by_stage(values: Sequence[float | None], digits: int = 3) -> str:
    """What the stages have, from the first to the last, in words where they are even.

    `0`, where all have it; `7, 6 … 0` where each has one fewer or more; else all of them.
    """
    texts = aligned(values, digits)
    if len(set(texts)) == 1:
        return f"{texts[0]} on every stage" if len(texts) > 1 else texts[0]
    known = [value for value in values if value is not None]
    steps = {round(b - a, 9) for a, b in pairwise(known)}
    if len(texts) > 4 and len(known) == len(texts) and steps in ({1.0}, {-1.0}):
        return f"{texts[0]} on the first stage, {'one more' if steps == {1.0} else 'one fewer'} " \
               f"on each, {texts[-1]} on the last"
    return ", ".join(texts)
