"""Knowing within seconds that another rank is gone: every rank beats, every rank listens.

A rank that was killed or stopped beats no more; one that failed says so.  Each listener times
silence on its own clock, so hosts need not agree on the time.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from gpu.distributed.process import Process
from gpu.errors import RankError

BEAT_S = 0.5
SILENCE_S = 10.0
DONE, FAILED = "done", "failed"


class Heartbeat:
    """This rank's beat and its ear, on a store every rank can reach (set, multi_get).

    `verdict` is the RankError about the first rank found lost, or None.  A rank beats every
    `beat_s` seconds and is lost after `silence_s` seconds without a beat.  Use as a context: it
    says `done` to the others on leaving, or `failed` with the reason.
    """

    def __init__(self, store: Any, rank: int, world: int, *, beat_s: float = BEAT_S,
                 silence_s: float = SILENCE_S) -> None:
        self.store, self.rank, self.others = store, rank, [r for r in range(world) if r != rank]
        self.beat_s, self.silence_s = beat_s, silence_s
        self.verdict: RankError | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self.store.set(f"where/{self.rank}", str(Process.own()))
        self.store.set(f"beat/{self.rank}", "0")
        self._thread.start()
        return self

    def __exit__(self, kind: Any, error: BaseException | None, _: Any) -> None:
        self._over.set()
        self._thread.join(self.beat_s + 1)
        if self.verdict is None:
            line = f"{FAILED} {error}" if error is not None else DONE
            self.store.set(f"beat/{self.rank}", line)

    def _run(self) -> None:
        try:
            self._listen()
        except Exception as error:  # whoever holds the store is gone
            self.verdict = RankError(0, "or its launcher is lost: the store does not answer "
                                        f"({type(error).__name__})")

    def _listen(self) -> None:
        heard = dict.fromkeys(self.others, ("", time.monotonic()))
        number = 0
        while not self._over.wait(self.beat_s) and self.verdict is None:
            number += 1
            self.store.set(f"beat/{self.rank}", str(number))
            beats = self.store.multi_get([f"beat/{r}" for r in self.others]) if self.others else []
            for rank, beat in zip(self.others, beats, strict=True):
                self._judge(rank, beat.decode(errors="replace"), heard)

    def _judge(self, rank: int, beat: str, heard: dict[int, tuple[str, float]]) -> None:
        now = time.monotonic()
        if beat != heard[rank][0]:
            heard[rank] = beat, now
        if beat.startswith(FAILED):
            self.verdict = self.verdict or RankError(rank, beat)
        elif beat != DONE and now - heard[rank][1] > self.silence_s:
            reason = f"is lost: no sign of life for {self.silence_s:g} s"
            self.verdict = self.verdict or RankError(rank, reason + self._end(rank))

    def _end(self, rank: int) -> str:
        """Kill a silent process on this host, so that none is left behind."""
        process = Process.read(self.store.get(f"where/{rank}").decode(errors="replace"))
        return "" if process is None else f"; {process.end()}"
