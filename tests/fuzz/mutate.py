"""Damage: to values, to trees of them, to text and to bytes."""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Sequence
from random import Random
from typing import Any


class Raw(str):
    """Text that stands in a document as it is."""

    __slots__ = ()


# Numbers are small or beyond every bound: what lies between may rightly take long.
WHOLE = (0, 1, 2, 3, 4, 5, 7, -1, -2, 2**31, 2**63, 10**12, 10**19, 10**400, -(10**19))
REAL = (math.nan, math.inf, -math.inf, 1e308, -1e308, 1.7976931348623157e308, 1e-300, 5e-324, 1e17,
        1e12, 1e6, 0.5, 0.1, -0.0, -1.5, 0.9999999999999999, 1.0000000000000002, 2.0**-31)
TEXTS = ("", " ", "x", "none", "true", "nan", "-1", "1e999", "a.b", "π🙂", "\x00", "../..", "%s%n",
         "[bold]", "'", "x" * 3000)
TREES: tuple[Any, ...] = ([], {}, [1], [1, 2], [0.5, -1.0], [[1]], ["x"], {"name": "x"}, {"": 0},
                          {"sigma": 0.1}, [{}])
DEEP = Raw("[" * 3000 + "]" * 3000)
LONG = Raw("9" * 5000)
HEXADECIMAL = Raw("0x" + "f" * 5000)
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?(?![\w.])")


def extreme(rng: Random) -> Any:
    """A value at or beyond the edge of what anybody would write."""
    drawn = rng.random()
    if drawn < 0.35:
        return rng.choice(WHOLE)
    if drawn < 0.65:
        return rng.choice(REAL)
    if drawn < 0.75:
        return rng.choice((True, False, None))
    if drawn < 0.85:
        return rng.choice(TEXTS)
    if drawn < 0.97:
        return copy.deepcopy(rng.choice(TREES))
    return rng.choice((DEEP, LONG, HEXADECIMAL))


def alike(value: Any, rng: Random) -> Any:
    """A value of the same kind as another, at the edge of what is allowed or beyond it."""
    if isinstance(value, dict):
        key = rng.choice(list(value)) if value else ""
        return {**value, key: alike(value.get(key), rng)}
    if isinstance(value, list):
        return [alike(each, rng) if rng.random() < 0.7 else each for each in value]
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int | float):
        return rng.choice(WHOLE if isinstance(value, int) and rng.random() < 0.7 else REAL)
    return rng.choice(TEXTS)


def written(value: Any) -> str:
    """A value as an option or a cell has it."""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else json.dumps(value)


def places(tree: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to everything inside a tree of tables and lists."""
    inside = tree.items() if isinstance(tree, dict) else \
        enumerate(tree) if isinstance(tree, list) else ()
    return [way for key, value in inside
            for way in ((*above, key), *places(value, (*above, key)))]


def damaged(tree: Any, rng: Random, times: int = 1) -> Any:
    """A tree with something in it replaced, dropped, doubled, renamed or added."""
    tree = copy.deepcopy(tree)
    for _ in range(times):
        ways = places(tree)
        if not ways:
            return extreme(rng)
        *way, key = rng.choice(ways)
        inside = tree
        for step in way:
            inside = inside[step]
        _damage(inside, key, rng)
    return tree


def _damage(inside: Any, key: Any, rng: Random) -> None:
    drawn = rng.random()
    if drawn < 0.6:
        inside[key] = extreme(rng)
    elif drawn < 0.7:
        del inside[key]
    elif drawn < 0.75:
        inside[key] = [inside[key]]
    elif isinstance(inside, list):
        inside.insert(key, copy.deepcopy(rng.choice(inside)))
    elif drawn < 0.85:
        inside[misspelt(str(key), rng)] = inside.pop(key)
    elif drawn < 0.92:
        inside[rng.choice(("extra", "name", "version", "", "a.b"))] = extreme(rng)
    else:
        other = rng.choice(list(inside))
        inside[key], inside[other] = inside[other], inside[key]


def misspelt(word: str, rng: Random) -> str:
    """A word with a letter changed, doubled or dropped."""
    place = rng.randrange(len(word) + 1)
    return word[:place] + rng.choice(("", "x", word[place:place + 1] * 2)) + word[place + 1:]


def damaged_text(text: str, rng: Random) -> bytes:
    """Text with numbers, lines or bytes of it damaged."""
    drawn = rng.random()
    found = list(NUMBER.finditer(text))
    if found and drawn < 0.5:
        number = rng.choice(found)
        return (text[:number.start()] + written(extreme(rng)) + text[number.end():]
                ).encode("utf-8", "surrogatepass")
    if drawn < 0.75:
        return damaged_lines(text, rng).encode()
    return damaged_bytes(text.encode(), rng)


def damaged_lines(text: str, rng: Random) -> str:
    """Text with a line dropped, doubled, moved, cut, or another end to every line."""
    lines = text.splitlines(keepends=True) or [""]
    place = rng.randrange(len(lines))
    deed = rng.randrange(6)
    if deed == 0:
        del lines[place]
    elif deed == 1:
        lines.insert(rng.randrange(len(lines) + 1), lines[place])
    elif deed == 2:
        lines[place], lines[-1] = lines[-1], lines[place]
    elif deed == 3:
        lines[place] = lines[place][:rng.randrange(len(lines[place]) + 1)]
    elif deed == 4:
        lines[place] = lines[place].rstrip("\n") + rng.choice((",", ",,", "#", " x", "=")) + "\n"
    else:
        return text.replace("\n", rng.choice(("\r\n", "\r", "\n\n")))
    return "".join(lines)


def damaged_bytes(content: bytes, rng: Random) -> bytes:
    """Bytes of which some are flipped, cut out, doubled or put in."""
    place, end = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    deed = rng.randrange(7)
    if deed == 0:
        return content[:place]
    if deed == 1:
        return content[:place] + content[end:]
    if deed == 2:
        return content[:place] + content[place:end] * 2 + content[end:]
    if deed == 3:
        return content[:place] + rng.randbytes(rng.randrange(1, 9)) + content[place:]
    if deed == 4:
        return rng.choice((b"", b"\x00", b"\xef\xbb\xbf", b"\xff\xfe")) + content[end:]
    changed = bytearray(content)
    for _ in range(min(len(content), rng.choice((1, 1, 1, 3, 20)))):
        changed[rng.randrange(len(content))] = rng.randrange(256)
    return bytes(changed)


def some(rng: Random, names: Sequence[str], most: int) -> list[str]:
    """Some of the names, each once, in any order."""
    return rng.sample(list(names), rng.randint(1, min(most, len(names))))
