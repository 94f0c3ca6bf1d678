"""The tour runs from top to bottom and gives what is kept in it."""

from tests.docs.outputs import differs, lines_of
from tests.docs.tour import NOTEBOOK, code_cells, read, run


def said(outputs: list) -> list[str]:
    """The text of a cell's outputs, printed and shown."""
    texts = [each["text"] if "text" in each else each["data"].get("text/plain", [])
             for each in outputs]
    return lines_of("\n".join("".join(text) for text in texts))


def pictures(outputs: list) -> int:
    return sum("image/png" in each.get("data", {}) for each in outputs)


def test_the_tour_gives_what_it_shows(tmp_path) -> None:
    notebook = read()
    for cell, outputs in zip(code_cells(notebook), run(notebook, tmp_path), strict=True):
        source = "".join(cell["source"])
        assert differs(said(cell["outputs"]), said(outputs)) is None, source
        assert pictures(cell["outputs"]) == pictures(outputs), source


def test_the_tour_is_a_small_notebook_of_the_current_format() -> None:
    notebook = read()
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    assert all(isinstance(cell["source"], list) for cell in notebook["cells"])
    assert sum(pictures(cell["outputs"]) for cell in code_cells(notebook)) >= 3
    assert NOTEBOOK.stat().st_size < 300_000
    assert all(len(line) <= 100 for cell in code_cells(notebook)
               for line in said(cell["outputs"]))
