"""Files that are read: regular, of bounded size, and whatever is wrong with them told in a line."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from analysis.__main__ import main as analysis
from figures.__main__ import main as figures
from figures.rows import read_rows
from sim.__main__ import main as sim
from sim.commands.door import mistake_of
from sim.errors import ConfigurationError, InputError
from sim.files.reading import as_written, bytes_of, text_of
from sim.kernels import pairs
from sim.plugins import FILES

READERS = {  # every kind of input, with where its path stands
    "experiment": (sim, ("run", "{}")), "sweep": (sim, ("sweep", "{}")),
    "program": (sim, ("run", "--program", "{}")), "plugin": (sim, ("list", "--plugin", "{}")),
    "profile": (sim, ("run", "--set", "costs.profile={}")),
    "trace": (analysis, ("report", "{}")), "other trace": (analysis, ("compare", "{}", "{}")),
    "exported trace": (analysis, ("export", "{}", "--format", "csv", "--out", "never")),
    "advice": (analysis, ("advise", "{}", "--memory-limit", "1", "--devices", "1")),
    "table": (figures, ("timeline", "--from", "{}")), "shown trace": (figures, ("explore", "{}"))}


def call(name: str, path: object) -> Result:
    door, arguments = READERS[name]
    return CliRunner().invoke(door, [each.format(path) for each in arguments])


@pytest.mark.parametrize("name", READERS)
def test_only_a_regular_file_is_read(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(FILES, "")  # where a plugin given stays for the processes started later
    os.mkfifo("pipe")
    Path("folder").mkdir()
    for path in ("/dev/zero", "pipe", "folder", "none", os.fsdecode(b"\xff")):
        result = call(name, path)
        assert result.exit_code == 2, (path, result.output, result.exception)
        assert isinstance(result.exception, SystemExit)
        assert "error: " in result.output.casefold()
    assert sorted(os.listdir()) == ["folder", "pipe"]


def test_text_is_utf8_of_bounded_size(tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"a\r\nb\rc\n")
    assert text_of(path) == "a\nb\nc\n"
    assert as_written(path) == "a\r\nb\rc\n"
    with pytest.raises(InputError, match="more than the 0 MB of any such file"):
        bytes_of(path, 3)
    path.write_bytes(b"\xff")
    with pytest.raises(InputError, match="not a UTF-8 text file"):
        text_of(path)
    os.truncate(path, 1 << 40)  # of which nothing is on the disk
    with pytest.raises(InputError, match="has 1099512 MB, more than the 268 MB"):
        text_of(path)
    with pytest.raises(InputError, match="there is no such file"):
        text_of(path / "x")


@pytest.mark.parametrize(("text", "said"), [
    ("a,b,\n1,2,\n", "a column without a name"), ("a,a\n1,2\n", "got 'a' twice"),
    ("a,b\n1,2,3\n", "2 cells in every row, got 3 in row 2"),
    ("a,b\n1,2\n1\n", "2 cells in every row, got 1 in row 3"), ("", "holds no rows"),
    ('a,b\n"1,2\n', "not a CSV file")])
def test_a_table_has_a_name_for_each_column_and_as_many_cells(tmp_path, text, said):
    (tmp_path / "f.csv").write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        read_rows(tmp_path / "f.csv")


def test_a_table_of_something_else_is_told_as_a_mistake(tmp_path):
    for text in ("stage,device\n1e308,nan\n", "device,stage,op,start_s,end_s\n,,,,\n", "a\n1\n"):
        (tmp_path / "f.csv").write_text(text)
        for name in ("timeline", "memory", "epochs", "stability", "rates", "systems"):
            result = CliRunner().invoke(figures, [name, "--from", str(tmp_path / "f.csv"),
                                                  "--out", str(tmp_path / "never")])
            assert result.exit_code == 2, (name, text, result.exception)
            assert "not the data of figure" in result.output
    assert not (tmp_path / "never").exists()


def test_errors_of_the_system_are_mistakes_and_a_reader_that_is_gone_is_none():
    said = mistake_of(FileNotFoundError(2, "none here", "name"))
    assert said is not None
    assert said.lines == ["name: none here"]
    for error, line in ((OSError(5, "broken"), "broken"), (MemoryError(), "out of memory"),
                        (MemoryError("1 TB"), "(1 TB)")):
        found = mistake_of(error)
        assert found is not None
        assert line in found.lines[0]
    assert mistake_of(BrokenPipeError(32, "gone")) is None
    assert mistake_of(RuntimeError("a bug")) is None


def test_a_broken_numba_is_gone_without(monkeypatch, tmp_path, capsys):
    (tmp_path / "numba.py").write_text("raise SystemError('made for another\\nnumpy')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    pairs.loads.cache_clear()
    try:
        for _ in range(2):
            assert pairs.choose(pairs.ROWS_WORTH_LOADING) is pairs.NUMPY
    finally:
        pairs.loads.cache_clear()
    assert capsys.readouterr().err == ("numba is installed but does not load (SystemError: made "
                                       "for another numpy); going on without it\n")
