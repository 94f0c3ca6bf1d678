"""`python -m tests.docs`: run the documents' `console` blocks and put in what they print now.

Lines that a block leaves out (`…`) stay left out where what is around them is unchanged; else the
whole output is put in, to be shortened by hand.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.docs.documents import NAMES, ROOT, blocks, text_of
from tests.docs.outputs import differs, lines_of
from tests.docs.running import Reader


def main() -> None:
    """Every document that shows an output, read from top to bottom."""
    for name in NAMES:
        if not any(block.language == "console" for block in blocks(name)):
            continue
        text = text_of(name)
        with tempfile.TemporaryDirectory() as folder:
            reader = Reader(Path(folder), "full")
            for block in blocks(name):
                new = block.text
                for line, shown, printed in reader.read(block):
                    if differs(shown, lines_of(printed)) is not None:
                        old = "\n".join([f"$ {line}", *shown])
                        new = new.replace(old, "\n".join([f"$ {line}", *lines_of(printed)]))
                text = text.replace(block.text, new)
        (ROOT / name).write_text(text, encoding="utf-8")
        print(f"{name} read")


if __name__ == "__main__":
    main()
