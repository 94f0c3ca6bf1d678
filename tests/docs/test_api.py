"""The API reference: every public module has its page, and pdoc has nothing to complain of."""

import pytest

from tests.docs.api import modules, write


@pytest.mark.verify
def test_the_api_reference_is_made_without_warnings(tmp_path) -> None:
    pytest.importorskip("pdoc")
    assert write(tmp_path) == []
    for module in modules():
        assert (module.__doc__ or "").strip(), module
        assert (tmp_path / f"{module.__name__.replace('.', '/')}.html").exists(), module
