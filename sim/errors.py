"""What a user can do wrong, one type for each thing a caller acts on.

Every door prints them as lines and ends with exit code 2; anything else is a bug.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class ConfigurationError(ValueError):
    """Everything wrong with a configuration, one `path: message` each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)


class InvalidProgramError(ValueError):
    """A program that cannot be run: the rule it breaks and the device × step table, marked."""

    def __init__(self, rule: str, table: str = "") -> None:
        super().__init__(rule, table)
        self.rule, self.table = rule, table

    def __str__(self) -> str:
        return f"{self.rule}\n{self.table}" if self.table else self.rule


class DeadlockError(RuntimeError):
    """Every stream is blocked; `waits` says which head waits for what."""

    def __init__(self, waits: str) -> None:
        super().__init__(waits)
        self.waits = waits

    def __str__(self) -> str:
        return f"the pipeline is deadlocked: {self.waits}"


class TraceError(ValueError):
    """A file that is not a trace this version can read."""


class ProfileError(ValueError):
    """A file that is not a profile; every error listed with its path."""


def unknown(kind: str, name: str, choices: Sequence[str]) -> str:
    """`kind 'name' is unknown`, the closest choice, and all of them."""
    close = difflib.get_close_matches(name, choices, 1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    return f"{kind} {name!r} is unknown{hint}; choose from {', '.join(choices)}"
