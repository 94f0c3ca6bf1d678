"""What every device does in turn, schedule by schedule, as its source describes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.oracles.apart.case import Case, Pass

Streams = list[list[Pass]]  # by device of one worker


def streams(case: Case) -> Streams:
    """One worker's order, updates included."""
    n, total = case.microbatches, case.own_total
    if case.given is not None:
        return [list(stream) for stream in case.given]
    if case.schedule == "interleaved":
        bare = [list(_interleaved(case, d)) for d in range(case.devices)]
    elif case.schedule == "nf1b":
        bare = _by_slots(case, total, [total] * case.stages, covered=n)
    elif case.schedule in ("round-robin", "paci") and case.in_flight is None:
        bare = _by_slots(case, total, [case.stages - k for k in range(case.stages)])
    elif case.schedule == "round-robin":
        bare = [list(_bounded(case, k)) for k in range(case.stages)]
    elif case.schedule == "looped-bfs":
        bare = _flushed(case, [list(_breadth_first(case, d)) for d in range(case.devices)])
    elif case.schedule == "eager-1f1b":
        most = [2 * (case.stages - 1 - k) + 1 for k in range(case.stages)]
        bare = _flushed(case, _by_slots(case, n, most))
    elif case.schedule == "1f1b":
        bare = _flushed(case, _by_slots(case, n, [case.stages - k for k in range(case.stages)]))
    else:
        once: Callable[[int], Iterator[Pass]] = {"sequential": _in_turn, "gpipe": _gpipe,
                                                 "split": _split}[case.schedule](n)
        bare = _flushed(case, [list(once(k)) for k in range(case.stages)])
    return [list(_updated(stream, n)) for stream in bare]


def _in_turn(n: int) -> Callable[[int], Iterator[Pass]]:
    return lambda k: (Pass(op, k, j, 1) for j in range(n) for op in "FB")


def _gpipe(n: int) -> Callable[[int], Iterator[Pass]]:
    return lambda k: (Pass(op, k, j, 1) for op in "FB" for j in range(n))


def _split(n: int) -> Callable[[int], Iterator[Pass]]:
    return lambda k: (Pass(op, k, j if op == "F" else n - 1 - j, 1)
                      for op in "FB" for j in range(n))


def _flushed(case: Case, once: Streams) -> Streams:
    """The order of one mini-batch, again for each."""
    return [[each._replace(first=each.first + i * case.microbatches)
             for i in range(case.own_minibatches) for each in stream] for stream in once]


def _by_slots(case: Case, total: int, most: list[int], covered: int = 1) -> Streams:
    """Every pass takes one slot; a stage takes a ready backward, else a forward if fewer than
    `most` of its forwards wait for their backward.  A backward covers so many micro-batches."""
    stages = case.stages
    forward, backward = [0] * stages, [0] * stages  # micro-batches done
    found: Streams = [[] for _ in range(stages)]
    while backward[0] < total:
        now = []
        for k in range(stages):
            after = backward[k] + covered
            last = k == stages - 1
            if after <= forward[k] and (last or after <= backward[k + 1]):
                now.append(Pass("B", k, backward[k], covered))
            elif (forward[k] < (forward[k - 1] if k else total)
                  and forward[k] - backward[k] < most[k]):
                now.append(Pass("F", k, forward[k], 1))
        assert now, "no stage can go on"
        for each in now:
            found[each.stage].append(each)
            (forward if each.op == "F" else backward)[each.stage] += each.count
    return found


def _bounded(case: Case, stage: int) -> Iterator[Pass]:
    """So many forwards ahead as may be under way, then a backward and a forward in turn."""
    total = case.own_total
    ahead = min(case.stages - stage, (case.in_flight or total) * case.microbatches)
    for micro in range(total + ahead):
        if micro >= ahead:
            yield Pass("B", stage, micro - ahead, 1)
        if micro < total:
            yield Pass("F", stage, micro, 1)


def _interleaved(case: Case, device: int) -> Iterator[Pass]:
    """Megatron's steps: so many forwards ahead, then a forward and a backward in turn; chunks
    change after every group of micro-batches."""
    n, devices, chunks = case.microbatches, case.devices, case.chunks
    group = n // max(1, n // devices)
    steps = n * chunks
    later = devices - 1 - device
    ahead = min(steps, later if chunks == 1 else 2 * later + (chunks - 1) * group)

    def one(op: str, step: int, minibatch: int) -> Pass:
        lap, place = divmod(step, group * chunks)
        chunk, j = divmod(place, group)
        if op == "B":
            chunk = chunks - 1 - chunk
        return Pass(op, chunk * devices + device, minibatch * n + lap * group + j, 1)

    for i in range(case.own_minibatches):
        for step in range(steps + ahead):
            if step < steps:
                yield one("F", step, i)
            if step >= ahead:
                yield one("B", step - ahead, i)


def _breadth_first(case: Case, device: int) -> Iterator[Pass]:
    """Chunk after chunk forwards, then all that again backwards, newest first."""
    done = [(chunk * case.devices + device, j) for chunk in range(case.chunks)
            for j in range(case.microbatches)]
    yield from (Pass("F", stage, j, 1) for stage, j in done)
    yield from (Pass("B", stage, j, 1) for stage, j in reversed(done))


def _updated(stream: list[Pass], n: int) -> Iterator[Pass]:
    """With an update after the last backward of each mini-batch on each stage."""
    left = {}
    for each in stream:
        yield each
        if each.op == "B":
            key = each.stage, each.first // n
            left[key] = left.get(key, n) - each.count
            if not left[key]:
                yield Pass("U", each.stage, each.first // n * n, n)
