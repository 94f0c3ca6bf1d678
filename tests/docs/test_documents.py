"""Every command and code block of every document runs, from top to bottom, and shows what it says.

`make test` shortens the long ones (`tests/docs/reductions.py`); `make verify` runs them all.
"""

import importlib
import json
import re
import tomllib

import pytest

from analysis.measured.mapping import Mapping
from analysis.sweep.reading import read_sweep
from sim.experiment.configuration import resolve
from tests.docs.documents import NAMES, ROOT, Block, blocks, commands, inline_code, text_of
from tests.docs.forks import Forks
from tests.docs.outputs import differs, lines_of
from tests.docs.reductions import RULES
from tests.docs.running import ENVIRONMENT, Reader, check_options

LANGUAGES = {"bash", "console", "python", "output", "toml", "text", "json"}
EVERY = pytest.mark.parametrize("name", NAMES)
WITH_CODE = [name for name in NAMES if blocks(name)]


@pytest.fixture(scope="module")
def forks(tmp_path_factory):
    made = Forks(tmp_path_factory.mktemp("forks"), ENVIRONMENT)
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", WITH_CODE)
def test_blocks_run_as_a_reader_would_run_them(name, tmp_path, forks) -> None:
    follow(name, Reader(tmp_path, "quick", forks))


@pytest.mark.verify
@pytest.mark.parametrize("name", WITH_CODE)
def test_blocks_run_at_full_size(name, tmp_path) -> None:
    follow(name, Reader(tmp_path, "full"))


def follow(name: str, reader: Reader) -> None:
    for block in blocks(name):
        assert block.language in LANGUAGES, f"{name}:{block.line} is {block.language!r}"
        for line, shown, printed in reader.read(block):
            difference = differs(shown, lines_of(printed))
            assert difference is None, f"{name}, $ {line}\n{difference}"
        if block.language == "toml":
            resolves(block, reader)


def resolves(block: Block, reader: Reader) -> None:
    """An experiment, a sweep (as the file it says it is), a mapping of a profiler's ranges, or part
    of a pyproject."""
    document = tomllib.loads(block.text)
    if "grid" in document or "random" in document:
        assert (ROOT / block.file).read_text() == block.text.split("\n", 1)[1]
        read_sweep(reader.folder / block.file)
    elif "ranges" in document:
        Mapping.model_validate(document)
    elif "project" not in document:
        resolve(document)


@EVERY
def test_json_shown_is_json(name) -> None:
    for block in blocks(name):
        if block.language == "json":
            json.loads(block.text)


@EVERY
def test_commands_in_the_text_exist(name) -> None:
    """Between backticks too: the door, the command and each option."""
    for code in inline_code(name):
        if re.match(r"python -m (sim|analysis|figures|gpu) ", code):
            check_options([word for word in code.split() if "…" not in word])
        elif code.startswith("make "):
            assert re.search(rf"^{code.split()[1]}:", (ROOT / "Makefile").read_text(), re.M), code


@EVERY
def test_files_and_names_in_the_text_exist(name) -> None:
    """Paths from the document's folder or the repository's, and dotted names of the packages."""
    for code in inline_code(name):
        if re.fullmatch(r"[\w./-]+(\.(py|toml|txt|md|ipynb)|/)", code) and "/" in code.rstrip("/"):
            assert (ROOT / name).parent.joinpath(code).exists() or (ROOT / code).exists(), code
        elif re.fullmatch(r"(sim|gpu|analysis|figures)(\.\w+)+", code):
            resolve_name(code)


def resolve_name(dotted: str) -> object:
    """An attribute where there is one, else a module."""
    top, *parts = dotted.split(".")
    found: object = importlib.import_module(top)
    for number, part in enumerate(parts, 2):
        path = ".".join(dotted.split(".")[:number])
        found = getattr(found, part) if hasattr(found, part) else importlib.import_module(path)
    return found


@EVERY
def test_links_lead_somewhere(name) -> None:
    folder = (ROOT / name).parent
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(name)):
        if target.startswith("http"):
            continue
        path, _, anchor = target.partition("#")
        file = folder / path if path else ROOT / name
        assert file.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", file.read_text(), re.M)
            assert anchor in {slug(heading) for heading in headings}, target


def slug(heading: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_the_readme_is_short_and_begins_with_an_environment() -> None:
    assert len(text_of("README.md").split()) <= 1500
    first = next(block for block in blocks("README.md") if block.language == "bash")
    assert ". .venv/bin/activate" in commands(first)[0].line
    python = next(block for block in blocks("README.md") if block.language == "python")
    assert len(python.text.splitlines()) <= 5
    shown = [each for block in blocks("README.md") if block.language == "console"
             for each in commands(block)]
    assert len(shown) >= 3
    assert all(each.output for each in shown)
    assert all(len(line) <= 80 for each in shown for line in each.output)


def test_every_reduction_is_of_a_command_in_the_documents() -> None:
    lines = [each.line for name in NAMES for block in blocks(name)
             if block.language in ("bash", "console") for each in commands(block)]
    for rule in RULES:
        assert any(line.startswith(rule.prefix) for line in lines), rule.prefix


def test_comparing_outputs() -> None:
    assert differs(["a 1.25 b", "c"], ["a  1.26 b", "c"]) is None
    assert "shown" in differs(["a 1.25 b"], ["a 1.28 b"])
    assert "shown" in differs(["W4 2"], ["W5 2"])
    assert "shown" in differs(["a 1,024"], ["a 1,025"])
    assert differs(["a", "…", "d"], ["a", "b", "c", "d"]) is None
    assert differs(["a", "…", "d"], ["a", "b", "c"]) is not None
    assert differs(["a"], ["a", "b"]) == "printed, not shown: b"
    assert differs(["a", "b"], ["a"]) is not None
