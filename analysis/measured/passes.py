"""Ranges told apart by a mapping: of which device, stage, mini-batch and micro-batch each is."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from analysis.measured.events import Span
from analysis.measured.mapping import Mapping, Range
from sim.errors import TraceError
from sim.op import Op
from sim.order.shape import PipelineShape

OF_DEVICES = "gpu_"  # categories of ranges that a device itself timed begin so
MOST_NUMBER = 10**9


@dataclass(frozen=True, slots=True)
class Pass:
    """A range that is an instruction; what is None its name does not say.

    `home` tells its device from others: parts of (file, process, thread).  `index` is its first
    micro-batch over the whole run, and `count` how many it covers, once they are counted.
    """

    op: Op
    stage: int | None
    minibatch: int | None
    microbatch: int | None
    span: Span
    home: tuple[str, ...] = ()
    index: int = 0
    count: int = 1


@dataclass(frozen=True)
class Found:
    """All passes of a run, by device in the order of their starts; the run's shape; and the names
    of the devices."""

    shape: PipelineShape
    devices: list[list[Pass]]
    names: list[str]
    by: str


def find(spans: Sequence[Span], mapping: Mapping) -> Found:
    """The passes among the ranges of a run's traces.

    Raises TraceError where none are, or what a name says does not go together.
    """
    passes = _matched(spans, mapping)
    if not passes:
        common = Counter(span.name for span in spans).most_common(6)
        there = "; ".join(f"{name[:60]!r} ({times} times)" for name, times in common)
        raise TraceError(f"no range is a pass by this mapping; ranges there are: {there or 'none'}")
    by = mapping.device or _told_apart(passes)
    passes = _with_stages([replace(each, home=_home(each, by)) for each in passes])
    shape, passes = _counted(passes, mapping.microbatches)
    homes: dict[tuple[str, ...], list[Pass]] = defaultdict(list)
    for each in passes:
        homes[each.home].append(each)
    order = sorted(homes, key=lambda home: (min(each.stage or 0 for each in homes[home]),
                                            _natural(home)))
    devices = [sorted(homes[home], key=lambda each: (each.span.start_ns, each.span.end_ns))
               for home in order]
    return Found(_placed(shape, devices), devices, [" ".join(home) for home in order], by)


def _matched(spans: Iterable[Span], mapping: Mapping) -> list[Pass]:
    """The ranges that are passes: a device's own where it has all of them, else the host's."""
    patterns = [(re.compile(each.name), each) for each in mapping.ranges]
    found, known = [], dict[str, tuple[Range, re.Match[str]] | None]()
    for span in spans:
        if span.name not in known:
            fits = ((each, match) for pattern, each in patterns
                    if (match := pattern.fullmatch(span.name)))
            known[span.name] = next(fits, None)
        hit = known[span.name]
        if hit is not None and hit[0].category in (None, span.category):
            found.append(_pass(span, *hit))
    own: list[Pass] = []
    hosts: list[Pass] = []
    for each in found:
        (own if each.span.category.startswith(OF_DEVICES) else hosts).append(each)
    # what a device did for a range of another thread, a backward's say, may not be told of it
    complete = {each.span.name for each in hosts} <= {each.span.name for each in own}
    return own if complete else hosts


def _pass(span: Span, kind: Range, match: re.Match[str]) -> Pass:
    """What one range is.  Raises TraceError."""
    said = {name: value for name, value in match.groupdict().items() if value is not None}
    op = kind.op or said.get("op")
    if op not in ("F", "B", "I", "W", "U"):
        raise TraceError(f"range {span.name!r}: an op is F, B, I, W or U, got {op!r}; give the "
                         "range one, or its pattern a group op")
    numbers: dict[str, int | None] = {"stage": kind.stage, "minibatch": None, "microbatch": None}
    for name in numbers:
        text = said.get(name)
        if text is not None and numbers[name] is None:
            if not (text.isascii() and text.isdigit() and int(text[:12]) <= MOST_NUMBER):
                raise TraceError(f"range {span.name!r}: its {name} is a number from 0 to "
                                 f"{MOST_NUMBER}, got {text[:40]!r}")
            numbers[name] = int(text)
    return Pass(Op[op], numbers["stage"], numbers["minibatch"], numbers["microbatch"], span)


def _told_apart(passes: Sequence[Pass]) -> str:
    """What tells devices apart where the mapping does not say: processes where there are several,
    else threads."""
    several = len({(each.span.file, each.span.process) for each in passes}) > 1
    return "process" if several else "thread"


def _home(each: Pass, by: str) -> tuple[str, ...]:
    span = each.span
    if by == "stage":
        return ("stage", str(each.stage))
    return (f"file {span.file}", f"process {span.process}", f"thread {span.thread}")[
        :{"file": 1, "process": 2, "thread": 3}[by]]


def _natural(home: tuple[str, ...]) -> list[list[tuple[int, str]]]:
    """A key that sorts numbers in names by their size."""
    return [[(int(part), "") if part.isdigit() else (-1, part)
             for part in re.split(r"(\d+)", name)] for name in home]


def _with_stages(passes: Sequence[Pass]) -> list[Pass]:
    """Every pass with its stage: where its name has none, the number of its device; an update
    without one is of every stage of its device, which share its time in equal parts [choice]."""
    number = {home: at for at, home in enumerate(
        sorted({each.home for each in passes}, key=_natural))}
    held: dict[tuple[str, ...], set[int]] = defaultdict(set)
    for each in passes:
        if each.op is not Op.U:
            held[each.home].add(number[each.home] if each.stage is None else each.stage)
    found = []
    for each in passes:
        if each.stage is not None or each.op is not Op.U:
            stage = number[each.home] if each.stage is None else each.stage
            found.append(replace(each, stage=stage))
            continue
        stages, span = sorted(held[each.home]), each.span
        long = span.end_ns - span.start_ns
        for place, stage in enumerate(stages):
            part = replace(span, start_ns=span.start_ns + long * place // len(stages),
                           end_ns=span.start_ns + long * (place + 1) // len(stages))
            found.append(replace(each, stage=stage, span=part))
    return found


def _counted(passes: Sequence[Pass], microbatches: int | None) -> tuple[PipelineShape, list[Pass]]:
    """Passes with their place in the run, and its shape but for how stages are placed."""
    work = [each for each in passes if each.op is not Op.U]
    if not work:
        raise TraceError("ranges are updates alone; give those of forwards and backwards too")
    numbers = [each.microbatch for each in work if each.microbatch is not None]
    if len(numbers) not in (0, len(work)):
        raise TraceError("some ranges have the number of their micro-batch and some have none")
    least = min(numbers, default=0)
    most = max(numbers, default=0) - least
    if microbatches is None:
        alike = Counter((each.stage, each.op, each.minibatch) for each in work)
        microbatches = most + 1 if numbers else max(alike.values())
    first = min((each.minibatch for each in passes if each.minibatch is not None), default=0)
    seen: Counter[tuple[object, ...]] = Counter()
    found = []
    for each in sorted(passes, key=lambda each: each.span.start_ns):
        micro = None if each.microbatch is None or each.op is Op.U else each.microbatch - least
        kind = (each.home, each.stage, each.op, each.minibatch, micro)
        times = seen[kind]
        seen[kind] += 1
        if each.minibatch is not None:
            index = (each.minibatch - first) * microbatches + (times if micro is None else micro)
        elif micro is None:
            index = times * (microbatches if each.op is Op.U else 1)
        else:  # numbered over the whole run, or anew in every mini-batch
            index = micro if most >= microbatches else times * microbatches + micro
        found.append(replace(each, index=index))
    _refuse_twice(found)
    return _shape(found, microbatches), found


def _refuse_twice(passes: Sequence[Pass]) -> None:
    """Refuse a pass that several devices did: copies of a whole pipeline, maybe."""
    done: dict[tuple[object, ...], Pass] = {}
    for each in passes:
        if each.op is Op.U:
            continue  # every home of a stage has its own
        first = done.setdefault((each.stage, each.op, each.index), each)
        if first is not each:
            raise TraceError(
                f"{each.op.name} of micro-batch {each.index} of stage {each.stage} is there twice, "
                f"{' '.join(first.home)} and {' '.join(each.home)}; give the traces of one "
                "pipeline alone, or a pattern with the group minibatch")


def _shape(passes: Sequence[Pass], microbatches: int) -> PipelineShape:
    total = 1 + max(each.index for each in passes if each.op is not Op.U)
    stages = 1 + max(each.stage or 0 for each in passes)
    if stages * total > 4 * len(passes) + 100:  # a slip in a number would fill the memory
        raise TraceError(f"ranges name stages up to {stages - 1} and micro-batches up to "
                         f"{total - 1}, but there are {len(passes)} of them")
    minibatches = -(-total // microbatches)
    left = total - (minibatches - 1) * microbatches
    return PipelineShape(stages, minibatches, microbatches,
                         last_microbatches=None if left == microbatches else left)


def _placed(shape: PipelineShape, devices: Sequence[Sequence[Pass]]) -> PipelineShape:
    """The shape with the devices there are: chunks where each has as many stages as the others."""
    many = len(devices)
    if many == shape.stages:
        return shape
    held = {len({each.stage for each in passes}) for passes in devices}
    if held == {shape.stages // many} and shape.stages % many == 0:
        return replace(shape, chunks=shape.stages // many)
    return replace(shape, ranks=many)
