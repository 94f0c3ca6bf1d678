"""Every input that once ended badly ends well."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fuzz.cases import FOUND
from tests.fuzz.worker import Worker


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as found:
        yield found


@pytest.mark.parametrize("name", FOUND)
def test_what_once_ended_badly_ends_well(worker: Worker, name: str) -> None:
    found = worker.ask("found", name)
    assert found["fault"] is None, f"{found['command']}\n{found['fault']}"
