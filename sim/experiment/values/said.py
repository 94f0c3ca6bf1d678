"""What an annotation of a configuration key says of it: what it bears on, and what it means."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Flag, auto


class Bears(Flag):
    """What of a run a configuration key bears on; it stands in the key's annotation.

    Runs may share whatever none of the keys that differ between them bears on.
    """

    ORDER = auto()  # what runs after what
    TIMES = auto()  # when it runs, and how large what is sent and kept is
    JITTER = auto()  # when it runs where durations are drawn, and nowhere else
    DATA = auto()  # the task: its examples and first weights
    ARRAYS = auto()  # what replicas trained side by side on one array axis must have in common
    LEARNING = auto()  # how a run learns, where replicas may differ


SIZED = Bears.TIMES | Bears.DATA | Bears.ARRAYS  # of the task, so of its messages and arrays too


@dataclass(frozen=True)
class Says:
    """What a configuration key means, for readers; it stands in the key's annotation.

    `unit` is that of its numbers, `unset` what holds where the key is left out and has no default
    to show, `example` a value as TOML for a key that is better left out until it is wanted.
    """

    meaning: str
    unit: str = ""
    unset: str = ""
    example: str = ""
