"""How ranks find each other: who is missing is named, within a bound."""

import socket
import threading

import pytest
from torch.distributed import TCPStore

from gpu.distributed import world as room
from gpu.distributed.world import World, open_store, wait_for_all
from gpu.errors import DeviceError, RankError


def place(rank, port=29500, size=3):
    return World(rank, size, rank, "127.0.0.1", port)


@pytest.fixture
def store():
    return TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)


def test_ranks_that_all_come_wait_no_longer(store):
    ranks = [threading.Thread(target=wait_for_all, args=(store, place(rank), 10.0))
             for rank in range(3)]
    for each in ranks:
        each.start()
    for each in ranks:
        each.join(5)
        assert not each.is_alive()


def test_a_rank_that_does_not_start_is_named(store):
    store.set("here/1", "1")
    with pytest.raises(RankError) as caught:
        wait_for_all(store, place(0), 0.2)
    assert str(caught.value) == "rank 2 has not started within 0.2 s of this one"
    with pytest.raises(RankError, match=r"rank 1 has not .* nor have 1 others"):
        wait_for_all(TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False),
                     place(0), 0.2)


def test_a_store_that_is_lost_is_rank_0_s(monkeypatch):
    class Gone:
        def set(self, key, value):
            raise RuntimeError("Connection reset by peer")

    with pytest.raises(RankError, match="rank 0 or its launcher is lost"):
        wait_for_all(Gone(), place(1), 0.2)


def test_a_port_in_use_is_told_and_a_store_nobody_keeps_is_rank_0_s(monkeypatch):
    from datetime import timedelta

    monkeypatch.setattr(room, "STORE_PATIENCE", timedelta(seconds=1))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DeviceError, match=r"rank 0 cannot listen at 127\.0\.0\.1:"):
            open_store(place(0, port), "heartbeat", host=True)
    with pytest.raises(RankError, match=r"rank 0 or its launcher does not answer .* within 1 s"):
        open_store(place(1, port), "heartbeat")
