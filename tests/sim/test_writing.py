"""Files that are written: looked at before the work, whole or not there, named as they were."""

from __future__ import annotations

import os
import resource
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from analysis.__main__ import main as analysis
from figures.__main__ import main as figures
from sim.__main__ import main as sim
from sim.errors import OutputError
from sim.files.writing import atomic_file, check_file, check_folder, write_json, write_text

ROOT = os.geteuid() == 0


def fifo(path: Path) -> None:
    os.mkfifo(path)


def bound(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as found:
        os.chdir(path.parent)  # a socket's path may have 107 bytes
        found.bind(path.name)


ODD = {"a folder": Path.mkdir, "a pipe": fifo, "a socket": bound,
       "a device": lambda path: path.symlink_to("/dev/null")}


@pytest.mark.parametrize("kind", ODD)
def test_only_a_regular_file_is_replaced(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "odd"
    ODD[kind](path)
    before = path.lstat()
    for write in (check_file, lambda each: write_text(each, "x")):
        with pytest.raises(OutputError, match=f"^{path}: is {kind}, not a file to write$"):
            write(path)
    assert path.lstat() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", [".", "/", "", "a\0b", "x" * 300, "file/x", "loop", "/proc/x"])
def test_a_name_that_no_file_can_have_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OutputError):
        write_text(name, "x")


def test_the_file_behind_a_link_is_written(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "link").symlink_to("far/file")
    for text in ("new", "old"):
        write_text(tmp_path / "link", text)
        assert (tmp_path / "far" / "file").read_text() == text
        assert (tmp_path / "link").is_symlink()
    assert os.listdir(tmp_path / "far") == ["file"]


def test_a_new_file_has_what_the_umask_leaves_and_another_keeps_its_own(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "new", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    (tmp_path / "new").chmod(0o604)
    write_text(tmp_path / "new", "y")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o604


def test_looking_writes_nothing(tmp_path):
    assert check_file(tmp_path / "a" / "b") == tmp_path.resolve() / "a" / "b"
    assert check_folder(tmp_path / "c") == tmp_path.resolve() / "c"
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "x"):
        with pytest.raises(OutputError, match="file is no folder that can be written to"):
            check_folder(path)
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.skipif(ROOT, reason="root may write anywhere")
def test_what_may_not_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "file").chmod(0o444)
    with pytest.raises(OutputError, match="may not be written to"):
        check_file(tmp_path / "file")
    tmp_path.chmod(0o555)
    with pytest.raises(OutputError, match="is no folder that can be written to"):
        check_file(tmp_path / "new")


def test_an_error_of_the_caller_stays_what_it_is(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_file(tmp_path / "f"):
        open(tmp_path / "none")  # noqa: SIM115 - it is not there
    with pytest.raises(KeyboardInterrupt), atomic_file(tmp_path / "f"):
        raise KeyboardInterrupt
    assert os.listdir(tmp_path) == []


def test_json_has_no_word_for_numbers_that_are_not_finite(tmp_path):
    write_json(tmp_path / "f", {"a": float("nan"), "b": (1,)})
    assert (tmp_path / "f").read_text() == '{\n  "a": null,\n  "b": [\n    1\n  ]\n}\n'


def test_a_full_disk_is_said_with_the_file_asked_for(tmp_path):
    """A limit on the size of files stands for the disk: the same calls fail."""
    (tmp_path / "f").write_text("before")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        for size in (2000, 2_000_000):  # found at the end, and on the way
            with pytest.raises(OutputError, match=f"^{tmp_path / 'f'}: File too large$"):
                write_text(tmp_path / "f", "x" * size)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert os.listdir(tmp_path) == ["f"]
    assert (tmp_path / "f").read_text() == "before"


WRITING = """
import os, signal, sys
from sim.files.writing import atomic_file
with atomic_file(sys.argv[1]) as file:
    file.write(b"x" * 100_000)
    os.kill(os.getpid(), int(sys.argv[2]))
    raise SystemExit(0)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_the_process_leaves_nothing(tmp_path, number):
    done = subprocess.run([sys.executable, "-c", WRITING, tmp_path / "f", str(int(number))],
                          stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (-number, b"")
    assert os.listdir(tmp_path) == []


def test_signals_do_again_what_they_did(tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    write_text(tmp_path / "f", "x")
    assert signal.getsignal(signal.SIGTERM) is before


DOORS = [(sim, ("run", "--set", "task=none")), (sim, ("sweep", "none.toml")),
         (analysis, ("export", "none.npz", "--format", "csv")), (analysis, ("stability",)),
         (analysis, ("advise", "none.json", "--memory-limit", "1", "--devices", "1")),
         (figures, ("timeline",)), (figures, ("explore", "none.npz"))]


@pytest.mark.parametrize(("door", "arguments"), DOORS, ids=str)
def test_every_door_looks_where_it_would_write_before_anything_else(tmp_path, door, arguments):
    os.mkfifo(tmp_path / "pipe")
    for out in ("", str(tmp_path / "pipe"), "/dev/null"):
        result = CliRunner().invoke(door, [*arguments, "--out", out])
        assert result.exit_code == 2
        assert result.output.startswith("error: --out ")
        assert len(result.output.splitlines()) == 1


def test_a_picture_looks_at_every_file_of_its_folder_first(tmp_path):
    (tmp_path / "timeline.csv").mkdir()
    result = CliRunner().invoke(figures, ["timeline", "--out", str(tmp_path)])
    assert (result.exit_code, result.output) == (
        2, f"error: {tmp_path / 'timeline.csv'}: is a folder, not a file to write\n")
    assert os.listdir(tmp_path) == ["timeline.csv"]


@pytest.mark.parametrize(("shell", "code", "said"), [
    ("{} > /dev/full", 2, "error: standard output: No space left on device\n"),
    ("{} >&-", 2, "error: standard output is closed\n"),
    ("({}; echo $? >&2) | true", 0, None)])
def test_output_that_nobody_takes_ends_in_a_line(shell, code, said):
    command = shell.format(f"{sys.executable} -m sim list --json")
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == code
    assert done.stderr in ((said,) if said else ("0\n", "1\n"))
