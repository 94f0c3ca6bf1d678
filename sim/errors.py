"""What a user can do wrong, one type for each thing a caller acts on.

Every door prints a `MistakeError` as lines and ends with its exit code; anything else is a bug.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar


class MistakeError(Exception):
    """What a user can act on: a door prints its `lines`, no traceback, and exits with `code`."""

    code: ClassVar[int] = 2

    @property
    def lines(self) -> list[str]:
        """What is wrong, a problem each (one with a table in it has line breaks of its own)."""
        return [str(self)]


class ConfigurationError(MistakeError, ValueError):
    """An experiment that is configured wrongly: every problem at once, one `path: message` each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__(self.problems)

    @property
    def lines(self) -> list[str]:
        return self.problems

    def __str__(self) -> str:
        return "\n".join(self.problems)


class MissingPartError(MistakeError, ImportError):
    """An optional part that is not installed, and the command that installs it."""


class InvalidProgramError(MistakeError, ValueError):
    """A program that cannot be run: the rule it breaks, and its table of devices and steps with the
    offending cells marked."""

    def __init__(self, rule: str, table: str = "") -> None:
        super().__init__(rule, table)
        self.rule, self.table = rule, table

    def __str__(self) -> str:
        return f"{self.rule}\n{self.table}" if self.table else self.rule


class DeadlockError(MistakeError, RuntimeError):
    """A run that cannot go on: `waits` says, device by device, which instruction waits for what."""

    def __init__(self, waits: str) -> None:
        super().__init__(waits)
        self.waits = waits

    def __str__(self) -> str:
        return f"the pipeline is deadlocked: {self.waits}"


class UnsettledError(MistakeError, RuntimeError):
    """A search that did not come to an end: what was looked for, and how far."""


class OutputError(MistakeError, OSError):
    """A file or folder that cannot be written."""


class InputError(MistakeError, OSError):
    """A file that cannot be read: not there, no file at all, larger than any of its kind."""


class TraceError(MistakeError, ValueError):
    """A file that is not a trace this version can read."""


class ProfileError(MistakeError, ValueError):
    """A file that is not a profile of stages: every error in it, with its path in the file."""


# What only some commands need, by the name it is imported under: the extra that brings it
PARTS = {"torch": "gpu", "torchvision": "gpu", "numba": "fast", "distributed": "cluster",
         "pyarrow": "parquet", "pandas": "pandas"}
# What every command needs, which is there wherever pipestale was installed and not only copied
CORE = ("numpy", "scipy", "simpy", "matplotlib", "sklearn", "threadpoolctl", "pydantic", "rich",
        "joblib")


def missing_part(error: ImportError) -> MissingPartError | None:
    """The mistake to show for a failed import of an optional part; None for any other failure.

    A part that is installed and fails to load is not missing: that error keeps its traceback.
    """
    part = (error.name or "").partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or part not in (*PARTS, *CORE):
        return None
    return MissingPartError(f"{part} is not installed; {_install(PARTS.get(part))}", name=part)


def _install(extra: str | None) -> str:
    """The command that installs an extra (None: all that is not optional).

    Where pipestale was not installed itself but lies in a folder, it is installed from there.
    """
    from importlib.metadata import PackageNotFoundError, version

    wanted = f"[{extra}]" if extra else ""
    try:
        version("pipestale")
    except PackageNotFoundError:
        return f"pip install -e '.{wanted}' in the folder that pipestale lies in"
    return f"pip install 'pipestale{wanted}'"


LONGEST_NAME = 200  # letters of a misspelt name that are compared with those there are


def shown(value: object, most: int = 100) -> str:
    """A wrong value as a message quotes it: its `repr`, cut to `most` characters."""
    try:
        text = repr(value)
    except ValueError:  # a whole number of more digits than Python writes
        text = "a number of thousands of digits"
    return text if len(text) <= most else f"{text[:most - 1]}…"


def unknown(kind: str, name: str, choices: Sequence[str], more: Sequence[str] = ()) -> str:
    """The message for a misspelt name: `kind 'name' is unknown`, the nearest choice, and all.

    The nearest is looked for among the names in `more` too, which are too many to be listed.
    """
    hint = did_you_mean(name, [*choices, *more])
    return f"{kind} {shown(name)} is unknown{hint}; choose from {', '.join(choices)}"


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """The nearest of the names there are, as ` (did you mean stages?)`; nothing: none is near."""
    near = nearest(name, choices)
    return "" if near is None else f" (did you mean {near}?)"


def nearest(name: str, choices: Iterable[str]) -> str | None:
    """What a misspelt name may have been meant to be, of the names there are; None: none is near.

    Capitals make no difference; the very name in another table (`pipeline.stages`) is nearest.
    """
    import difflib  # not at every start of a command

    wanted = name[:LONGEST_NAME].lower()
    right = {choice.lower(): choice for choice in choices}
    close = [choice for choice in right if choice.rpartition(".")[2] == wanted]
    close = close or difflib.get_close_matches(wanted, right, 1)
    return right[close[0]] if close else None
