"""What a document shows beside what came out: the same words, and numbers to their last digit."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")
ELISION = "…"


def lines_of(text: str) -> list[str]:
    """Lines without trailing blanks, empty ones at both ends left out."""
    lines = [line.rstrip() for line in text.splitlines()]
    while lines and not lines[0]:
        lines.pop(0)
    while lines and not lines[-1]:
        lines.pop()
    return lines


def differs(shown: list[str], printed: list[str]) -> str | None:
    """The first place where they differ; a shown line that is `…` alone stands for any lines."""
    place = 0
    for number, line in enumerate(shown):
        if line.strip() == ELISION:
            rest = shown[number + 1 :]
            starts = range(place, len(printed) + 1)
            if any(differs(rest, printed[start:]) is None for start in starts):
                return None
            return f"nothing printed after line {place} is as shown after {ELISION}"
        if place == len(printed) or not alike(line, printed[place]):
            return f"shown:   {line}\nprinted: {printed[place] if place < len(printed) else '–'}"
        place += 1
    return None if place == len(printed) else f"printed, not shown: {printed[place]}"


def alike(shown: str, printed: str) -> bool:
    """Whether two lines say the same; blanks count once, a number's last digit may be one off."""
    if words(shown) != words(printed):
        return False
    pairs = zip(_NUMBER.findall(shown), _NUMBER.findall(printed), strict=True)
    return all(near(a, b) for a, b in pairs)


def words(line: str) -> list[str]:
    return _NUMBER.sub("0", line).split()


def near(shown: str, printed: str) -> bool:
    """Equal, or apart by one in the last digit shown; whole numbers must be equal."""
    if shown == printed:
        return True
    mantissa, _, exponent = shown.partition("e")
    decimals = len(mantissa.partition(".")[2])
    if not decimals and not exponent:
        return False
    step = 10.0 ** (int(exponent or 0) - decimals)
    return abs(float(shown.replace(",", "")) - float(printed.replace(",", ""))) < 1.5 * step
