"""Every input that once ended badly ends well."""

from __future__ import annotations

import pytest

from tests.fuzz.cases import FOUND
from tests.fuzz.worker import Worker


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=pytest.mark.verify) if name.startswith("gpu-") else name  # torch
    for name in FOUND])
def test_what_once_ended_badly_ends_well(worker: Worker, name: str) -> None:
    found = worker.ask("found", name)
    assert found["fault"] is None, f"{found['command']}\n{found['fault']}"
