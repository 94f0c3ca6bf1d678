"""One worker for all tests of a run: it takes seconds to begin."""

from collections.abc import Iterator

import pytest

from tests.fuzz.worker import Worker


@pytest.fixture(scope="session")
def worker() -> Iterator[Worker]:
    with Worker() as found:
        yield found
