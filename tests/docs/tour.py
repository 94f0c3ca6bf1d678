"""`python -m tests.docs.tour`: run the notebook's cells and keep what they give, as Jupyter would.

No notebook library is needed: a notebook is JSON, a cell Python whose last expression is shown; a
line after `!` is a shell's.  Pictures are those of pyplot that are open when a cell ends.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.docs.documents import ROOT

NOTEBOOK = ROOT / "figures/tour.ipynb"
DPI = 72  # of kept pictures: small, and legible


def read() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return document


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def run(notebook: dict[str, Any], folder: Path) -> Iterator[list[dict[str, Any]]]:
    """Outputs of each code cell, run one after another in `folder`."""
    list(open_pictures())  # what somebody else in this process left open is no cell's
    space: dict[str, Any] = {"__name__": "__main__"}
    here = Path.cwd()
    os.chdir(folder)
    try:
        for cell in code_cells(notebook):
            yield run_cell("".join(cell["source"]), space)
    finally:
        os.chdir(here)


def run_cell(source: str, space: dict[str, Any]) -> list[dict[str, Any]]:
    """What a cell prints, what its last expression is, and its pictures."""
    out, shown = io.StringIO(), None
    with contextlib.redirect_stdout(out):
        if source.startswith("!"):
            print(shell(source[1:]), end="")
        else:
            shown = evaluate(source, space)
    outputs: list[dict[str, Any]] = []
    if out.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": lines(out.getvalue())})
    pictures = list(open_pictures())
    if shown is not None and not pictures:
        outputs.append({"output_type": "execute_result", "execution_count": None, "metadata": {},
                        "data": {"text/plain": lines(repr(shown))}})
    return outputs + [{"output_type": "display_data", "metadata": {},
                       "data": {"image/png": picture}} for picture in pictures]


def evaluate(source: str, space: dict[str, Any]) -> Any:
    body = ast.parse(source)
    last = body.body.pop() if isinstance(body.body[-1], ast.Expr) else None
    exec(compile(body, "<cell>", "exec"), space)
    if last is None:
        return None
    shown = eval(compile(ast.Expression(last.value), "<cell>", "eval"), space)
    return None if source.rstrip().endswith(";") else shown


def shell(line: str) -> str:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(line, shell=True, text=True, capture_output=True, check=False,
                          env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)})
    if done.returncode:
        raise RuntimeError(f"{line}: {done.stderr}")
    return done.stdout


def open_pictures() -> Iterator[str]:
    if "matplotlib.pyplot" not in sys.modules:
        return
    from matplotlib import pyplot

    for number in pyplot.get_fignums():
        file = io.BytesIO()
        pyplot.figure(number).savefig(file, format="png", dpi=DPI)
        yield base64.b64encode(file.getvalue()).decode() + "\n"
    pyplot.close("all")


def lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def main() -> None:
    """Put what the cells give now into the notebook."""
    notebook = read()
    with tempfile.TemporaryDirectory() as folder:
        for cell, outputs in zip(code_cells(notebook), run(notebook, Path(folder)), strict=True):
            cell["outputs"] = outputs
    text = json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True)
    NOTEBOOK.write_text(text + "\n", encoding="utf-8")
    print(f"{NOTEBOOK.relative_to(ROOT)}: {len(code_cells(notebook))} cells, {len(text):,} bytes")


if __name__ == "__main__":
    main()
