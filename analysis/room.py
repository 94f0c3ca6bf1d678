"""The memory that a question to a planner allows: what its options may be."""

from __future__ import annotations

import math
from collections.abc import Iterator

MOST_COPIES = 1e4  # of the weights; beyond this a mistyped number would only overflow


def wrong_room(limit_bytes: float | None, state_copies: float) -> Iterator[str]:
    """What is wrong with a limit in bytes of each device (None: no limit), and with how many arrays
    as large as the weights are held beside them."""
    if limit_bytes is not None and not 0 < limit_bytes < math.inf:
        yield f"--memory-limit: bytes, more than 0 and finite, got {limit_bytes:g}"
    if not 0 <= state_copies <= MOST_COPIES:
        yield f"--state-copies: from 0 to {MOST_COPIES:g}, got {state_copies:g}"
