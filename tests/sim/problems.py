"""The problems of a configuration document, by their paths."""

from __future__ import annotations

import pytest

from sim.errors import ConfigurationError
from sim.experiment.configuration import resolve


def problems(document: dict) -> dict[str, str]:
    """Path to message; every problem has both."""
    with pytest.raises(ConfigurationError) as caught:
        resolve(document)
    listed = caught.value.problems
    assert str(caught.value) == "\n".join(listed)
    found = dict(line.split(": ", 1) for line in listed)
    assert len(found) == len(listed)
    assert all(found.values())
    return found


def only(document: dict) -> tuple[str, str]:
    """The one problem of a document."""
    ((path, message),) = problems(document).items()
    return path, message
