"""Lost, failed and finished ranks, on a store that is a dictionary."""

import subprocess
import sys
import time

import pytest

from gpu.distributed.heartbeat import DONE, Heartbeat
from gpu.distributed.process import Process, began, host
from gpu.errors import RankError


class Store(dict):
    """set, get and multi_get as torch's stores have them."""

    def set(self, key, value):
        self[key] = value.encode()

    def get(self, key):
        return self[key]

    def multi_get(self, keys):
        return [self[key] for key in keys]


def heartbeat(store, rank, silence_s=0.3, world=2):
    return Heartbeat(store, rank, world, beat_s=0.02, silence_s=silence_s)


def verdict_of(beating, within_s=5.0):
    until = time.monotonic() + within_s
    while beating.verdict is None and time.monotonic() < until:
        time.sleep(0.01)
    return beating.verdict


def test_ranks_that_beat_and_finish_raise_nothing():
    store = Store({"beat/0": b"0", "beat/1": b"0"})
    with heartbeat(store, 0, 1.0) as one:
        with heartbeat(store, 1, 1.0) as two:
            time.sleep(0.2)
        assert store["beat/1"] == DONE.encode()
        time.sleep(0.1)
    assert one.verdict is None
    assert two.verdict is None


def test_a_silent_process_is_named_and_ended():
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    store = Store({"beat/1": b"7", "where/1": announced(sleeper.pid)})
    with heartbeat(store, 0) as beating:
        found = verdict_of(beating)
    assert isinstance(found, RankError)
    assert found.rank == 1
    assert f"no sign of life for 0.3 s; its process {sleeper.pid} was stopped" in str(found)
    assert sleeper.wait(5) == -9


def announced(number, **other):
    found = {"host": host(), "number": number, "began": began(number), **other}
    return str(Process(**found)).encode()


@pytest.mark.parametrize("other", [{"began": "1"}, {"host": "elsewhere/1/2"}])
def test_only_the_process_announced_from_here_is_ended(other):
    """A number that was used again, or that somebody else's host has, is another process's."""
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    store = Store({"beat/1": b"7", "where/1": announced(sleeper.pid, **other)})
    with heartbeat(store, 0) as beating:
        assert verdict_of(beating).rank == 1
    assert sleeper.poll() is None
    sleeper.kill()
    sleeper.wait(5)


@pytest.mark.parametrize("text", [b"", b"host", b"host -1", b"host x y", b"host " + b"9" * 99,
                                  b"\xff \xff"])
def test_an_announcement_that_names_no_process_ends_none(text):
    store = Store({"beat/1": b"7", "where/1": text})
    with heartbeat(store, 0) as beating:
        assert str(verdict_of(beating)) == "rank 1 is lost: no sign of life for 0.3 s"


def test_a_silent_process_elsewhere_is_left_to_its_host():
    store = Store({"beat/1": b"7", "where/1": b"another-host 12"})
    with heartbeat(store, 0) as beating:
        found = verdict_of(beating)
    assert "end process 12 on another-host" in str(found)


def test_a_failure_reaches_the_others_with_its_reason():
    store = Store({"beat/0": b"0", "beat/1": b"0"})
    with heartbeat(store, 0) as one:
        with pytest.raises(ValueError, match="broke"), heartbeat(store, 1):
            raise ValueError("a stage broke")
        assert str(verdict_of(one)) == "rank 1 failed a stage broke"


def test_a_store_that_is_gone_is_a_verdict_too():
    class Gone(Store):
        def multi_get(self, keys):
            raise ConnectionError("reset")

    with heartbeat(Gone(), 0) as beating:
        assert "the store does not answer" in str(verdict_of(beating))
