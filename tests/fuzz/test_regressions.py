"""Every input that once ended badly ends well."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fuzz.cases import FOUND
from tests.fuzz.worker import Worker

NOT_YET = {"gpu-parts", "gpu-one-image", "gpu-threads", "gpu-classes", "gpu-noise",
           "gpu-image-sizes", "gpu-mitigations"}  # the backend looks at these once it works


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as found:
        yield found


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=pytest.mark.xfail(strict=True)) if name in NOT_YET else name
    for name in FOUND])
def test_what_once_ended_badly_ends_well(worker: Worker, name: str) -> None:
    found = worker.ask("found", name)
    assert found["fault"] is None, f"{found['command']}\n{found['fault']}"
