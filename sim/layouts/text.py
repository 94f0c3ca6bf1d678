"""Layouts: which layers each stage has, in the letters that Megatron-LM writes.

    E,t*3|(tt|)*29,m|L

A letter is a layer: `E` the embedding, `t` a transformer layer, `m` one that predicts several
tokens ahead, `L` the loss.  `|` begins the next stage, in the order a micro-batch goes through
them; with several stages on a device those of all devices' first chunks come first, as ever.  `t*3`
is `ttt`, `(tt|)*2` is `tt|tt|`; commas and blanks are for the reader.  A stage may be empty: it
hands on what it gets.

Source: Megatron-LM, `--pipeline-model-parallel-layout` (custom pipeline model parallel layout).
[choice] Brackets may stand in brackets; `E` and `L` may be missing (a network without them), while
Megatron asks for both; where its own `m` may stand besides after every `t` is not asked.
"""

from __future__ import annotations

from dataclasses import dataclass

LETTERS = {"E": "embedding", "t": "transformer layer", "m": "multi-token prediction layer",
           "L": "loss"}
MOST_LETTERS = 100_000  # written out: beyond, a mistyped number would only fill the memory
MOST_OPEN = 50  # brackets inside each other
BESIDE = ", \t"  # what is for the reader alone


class LayoutError(ValueError):
    """A layout that is none: what is wrong, and at which character."""


def stages_of(layout: str) -> tuple[str, ...]:
    """The letters of each stage's layers, written out: `("Et", "tt", "", "L")`.

    Raises LayoutError.
    """
    reader = _Reader(layout)
    text = reader.items()
    if reader.at < len(layout):
        raise reader.wrong("closes a bracket that none opened")
    if not text.strip("|"):
        raise LayoutError(f"{layout!r} has no layers; write e.g. E,t*4|t*4,L")
    _refuse_order(text)
    return tuple(text.split("|"))


def _refuse_order(text: str) -> None:
    """Refuse what no network has: an embedding inside, a loss before the end.  Raises
    LayoutError."""
    letters = text.replace("|", "")
    for letter, place, where in (("E", letters.find("E", 1), "first"),
                                 ("L", letters[:-1].find("L"), "last")):
        if place >= 0:
            raise LayoutError(f"{letter}, the {LETTERS[letter]}, is the {where} layer, got one as "
                              f"layer {place + 1} of {len(letters)}")
    ahead = letters.find("m")
    if 0 <= ahead < letters.rfind("t"):
        raise LayoutError(f"m comes after every t, got one as layer {ahead + 1} and a t as layer "
                          f"{letters.rfind('t') + 1}")


@dataclass
class _Reader:
    """Goes through a layout, character by character; `at` is the next one, `opened` brackets."""

    layout: str
    at: int = 0
    opened: int = 0

    def items(self) -> str:
        """What stands here up to a closing bracket or the end, written out."""
        parts, length = [], 0
        while self.next() not in ("", ")"):
            part = self.item()
            many = self.times()
            length += len(part) * many
            if length > MOST_LETTERS:
                raise self.wrong(f"makes more than {MOST_LETTERS} layers", self.at - 1)
            parts.append(part * many)
        return "".join(parts)

    def item(self) -> str:
        """A layer, the end of a stage, or what stands in brackets."""
        here, letter = self.at, self.next()
        if letter != "(":
            if letter not in (*LETTERS, "|"):
                known = ", ".join(f"{each} ({name})" for each, name in LETTERS.items())
                raise self.wrong(f"is no layer: write {known}, | between stages, t*3 or (tt|)*3")
            self.at += 1
            return letter
        self.at += 1
        self.opened += 1
        if self.opened > MOST_OPEN:
            raise self.wrong(f"is inside more than {MOST_OPEN} brackets", here)
        inside = self.items()
        if self.next() != ")":
            raise self.wrong("opens a bracket that nothing closes", here)
        self.at += 1
        self.opened -= 1
        return inside

    def times(self) -> int:
        """How often what stood before is meant, once without a `*`."""
        if self.next() != "*":
            return 1
        star, self.at = self.at, self.at + 1
        self.next()
        first = self.at
        while self.at < len(self.layout) and self.layout[self.at] in "0123456789":
            self.at += 1
        digits = self.layout[first:self.at].lstrip("0")
        if not digits:
            raise self.wrong("is followed by a number from 1", star)
        return int(digits[:9])  # more digits are as much too many

    def next(self) -> str:
        """The next character that says something; none at the end."""
        while self.at < len(self.layout) and self.layout[self.at] in BESIDE:
            self.at += 1
        return self.layout[self.at:self.at + 1]

    def wrong(self, what: str, at: int | None = None) -> LayoutError:
        """The mistake at a character, by default the next one."""
        at = self.at if at is None else at
        around = self.layout[max(0, at - 8):at + 8]
        return LayoutError(f"character {at + 1}, {self.layout[at:at + 1]!r} in {around!r}, {what}")
