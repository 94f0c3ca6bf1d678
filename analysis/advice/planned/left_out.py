"""What an advice on layers does not look at, and why."""

from __future__ import annotations

from analysis.advice.planned.space import CHUNKS, EVERY, PIECES, UNLIKE
from analysis.advice.question import Question
from sim.schedules import SCHEDULES


def left_out(question: Question, unsearched: str | None) -> list[dict[str, str]]:
    """What is left out, and why, a line each.

    `unsearched` is why no order was searched for though that was asked (None: one was).
    """
    pieces = ", ".join(each.name for each in SCHEDULES if PIECES in each.takes)
    lines = [
        (pieces, "cuts sequences into pieces, and layers are measured on whole ones"),
        ("mitigations where nothing is stale", "all the same as the one that is shown"),
        ("more cuts", "for each number of stages those that the formulas of analysis partition "
                      "find best; stages of a device need not be alike"),
        ("chunks", f"{' or '.join(map(str, CHUNKS))} stages a device, of orders that have several"),
        ("workers", "powers of two, and as many as there is room for; orders in two directions "
                    "have one"),
        ("unlike numbers of devices that share a stage's micro-batches under a flush",
         "analysis partition --objective flush --replicas simulates those"),
        ("greedy dispatch, jitter", "an endless run has a fixed order and fixed costs")]
    if not question.search_s:
        lines.append(("orders without a name", "--search SECONDS looks for them"))
    if unsearched is not None:
        lines.append(("orders without a name", unsearched))
    if question.devices > EVERY:
        lines.append(("pipelines of other lengths", f"beyond {EVERY} devices powers of two and "
                      "what divides them all"))
    if question.devices > UNLIKE:
        lines.append(("stages with unlike numbers of replicas", f"beyond {UNLIKE} devices there "
                      "are too many; analysis partition --replicas finds the best"))
    return [{"what": what, "why": why} for what, why in lines if what]
