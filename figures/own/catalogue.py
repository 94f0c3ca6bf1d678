"""Every picture of one's own runs, by name; a picture's module is imported when it is asked for."""

from __future__ import annotations

from importlib import import_module

from figures.traces.wanted import OwnPicture, Wanted
from sim.errors import ConfigurationError

NAMES = ("timeline", "staleness", "memory", "learning", "prediction", "jitter")
FOLDERS = "validation"  # drawn from what `gpu validate` wrote, not from runs
OPTIONS = {"minibatches": "--minibatch", "from_s": "--from", "to_s": "--to", "stages": "--stages",
           "colour": "--colour"}  # by the field of Wanted that each gives


def own(name: str) -> OwnPicture:
    """The picture of one's own runs of that name."""
    found: OwnPicture = import_module(f"figures.traces.{name}").OWN
    return found


def refuse_others(names: list[str], wanted: Wanted) -> None:
    """Make sure that all that is wanted means something to each of these pictures.

    Raises ConfigurationError naming the pictures to which it does.
    """
    asked = [field for field in OPTIONS if getattr(wanted, field) != getattr(Wanted(), field)]
    problems = []
    for field in asked:
        others = [name for name in names if field not in _takes(name)]
        takers = [name for name in NAMES if field in _takes(name)]
        problems += [f"{OPTIONS[field]}: {name} does not take it; of the pictures "
                     f"{', '.join(takers)} {'does' if len(takers) == 1 else 'do'}"
                     for name in others]
    if problems:
        raise ConfigurationError(problems)


def _takes(name: str) -> frozenset[str]:
    return own(name).takes if name in NAMES else frozenset()
