"""The journal: what was written whole is there again, whatever moment the writer was killed at."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.sweep.journal import Journal
from sim.errors import ConfigurationError

HEADER = {"fingerprint": "f", "points": 9, "libraries": {"numpy": "1"}}


def record(number: int) -> dict[str, object]:
    return {"point": number, "settings": {"a": "ü\n"}, "error": None, "report": {"x": 0.1}}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "points.jsonl"


def write(path, *numbers) -> None:
    with Journal(path, HEADER) as journal:
        for number in numbers:
            journal.add(record(number))


def read(path) -> dict[int, object]:
    with Journal(path, HEADER) as journal:
        return dict(journal.records)


def test_records_are_there_again_and_more_can_follow(path):
    write(path, 3, 1)
    assert read(path) == {3: record(3), 1: record(1)}
    write(path, 0)
    assert list(read(path)) == [3, 1, 0]
    assert len(path.read_text().splitlines()) == 4


@given(st.data())
def test_a_file_cut_anywhere_has_its_whole_lines_and_goes_on(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("cut") / "points.jsonl"
    write(path, 4, 2, 7)
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    kept = [4, 2, 7][: max(0, whole[:cut].count(b"\n") - 1)]
    assert list(read(path)) == kept
    write(path, *(n for n in (4, 2, 7) if n not in kept))
    assert path.read_bytes() == whole


def test_a_line_a_crash_left_as_garbage_is_a_point_to_do_again(path):
    write(path, 4, 2, 7)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1] + b"\0" * 40 + b"\n" + lines[3])
    assert list(read(path)) == [4, 7]


def test_another_sweep_is_refused(path):
    write(path, 4)
    before = path.read_bytes()
    for header, said in (({**HEADER, "fingerprint": "g"}, "begun by another sweep"),
                         ({**HEADER, "libraries": {"numpy": "2"}}, "libraries was")):
        with pytest.raises(ConfigurationError, match=said) as caught:
            Journal(path, header).__enter__()
        assert "choose another --out" in str(caught.value)
    path.write_text("hello\n")
    with pytest.raises(ConfigurationError, match="not a journal"):
        read(path)
    path.write_bytes(before)
    assert list(read(path)) == [4]


def test_two_writers_at_once_are_one_too_many(path):
    with (Journal(path, HEADER), pytest.raises(ConfigurationError, match="another sweep is")):
        Journal(path, HEADER).__enter__()
    assert read(path) == {}


def test_a_writer_that_is_killed_lets_go(path):
    code = ("import os, sys, pathlib; from analysis.sweep.journal import Journal\n"
            "with Journal(pathlib.Path(sys.argv[1]), eval(sys.argv[2])) as journal:\n"
            "    journal.add(eval(sys.argv[3]))\n"
            "    os.kill(os.getpid(), 9)\n")
    done = subprocess.run([sys.executable, "-c", code, str(path), repr(HEADER),
                           repr(record(5))], check=False)
    assert done.returncode == -9
    assert read(path) == {5: record(5)}


def test_what_is_not_json_is_refused_before_anything_is_written(path):
    with Journal(path, HEADER) as journal:
        with pytest.raises(ValueError, match="JSON"):
            journal.add({"point": 1, "x": float("nan")})
        journal.add(record(2))
    assert list(read(path)) == [2]
    assert all(json.loads(line) for line in path.read_text().splitlines())
    assert os.stat(path).st_mode & 0o777 == 0o644


@pytest.mark.parametrize("line", [
    b'{"point": 2, "settings": {}, "error": null}', b'{"point": true, "settings": {}, "error": null'
    b', "report": {}}', b'{"point": 2, "settings": {}, "error": null, "report": {"x": NaN}}',
    b'{"point": 9, "settings": {}, "error": null, "report": {}}',
    b'{"point": 2, "settings": {}, "error": null, "report": null}',
    b'{"point": 2, "settings": {}, "error": {"kind": 1}, "report": null}',
    b'{"point": 2, "settings": [], "error": null, "report": {}}', b"[" * 100_000, b"3", b"\xff"])
def test_a_damaged_line_is_counted_and_its_point_done_again(path, line):
    write(path, 4)
    with path.open("ab") as file:
        file.write(line + b"\n")
    write(path, 7)
    with Journal(path, HEADER) as journal:
        assert (list(journal.records), journal.damaged) == ([4, 7], 1)


def test_a_point_whose_worker_died_is_tried_again_at_the_next_start(path):
    died = record(3) | {"error": {"kind": "WorkerDied", "message": "…"}, "report": None}
    with Journal(path, HEADER) as journal:
        journal.add(died)
        assert list(journal.records) == [3]
    assert read(path) == {}
    write(path, 3)
    assert read(path) == {3: record(3)}


def test_a_journal_without_a_point_holds_up_no_other_sweep(path):
    write(path)
    other = {**HEADER, "fingerprint": "g"}
    with Journal(path, other) as journal:
        journal.add(record(1))
    with pytest.raises(ConfigurationError, match="begun by another sweep"):
        read(path)


def test_a_sweep_that_ends_before_its_first_point_leaves_no_journal(path):
    with pytest.raises(RuntimeError), Journal(path, HEADER):
        raise RuntimeError("no scheduler answers")
    assert not path.exists()
    write(path, 1)
    with pytest.raises(RuntimeError), Journal(path, HEADER):
        raise RuntimeError("the cluster is lost")
    assert list(read(path)) == [1]
