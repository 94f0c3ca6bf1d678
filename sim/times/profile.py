"""A profile: measured seconds and bytes of every stage, as a JSON file.

    {"format": "pipestale-profile", "version": 1, "device": "…", "microbatch_size": 8,
     "stages": [{"forward_s": 0.01, "backward_s": 0.02, "recompute_s": 0.01, "update_s": 0.001,
                 "weight_bytes": 1000, "activation_bytes": 5000, "input_bytes": 400}, …],
     "boundary_bytes": [400, …], "latency_s": 1e-5, "bandwidth_bytes_per_s": 1e10}

`forward_s`, `backward_s` and `recompute_s` are of one micro-batch; a backward of several takes
that many times as long.  Only `stages` with `forward_s` and `backward_s` is required.

Seconds are those of a device that nothing else slows.  What else makes an event take its time is
optional, and used where it is there:

- `input_backward_s`, `weight_backward_s`: the halves I and W of a backward, each where the other
  need not be half of it.
- `placement` names the hardware of each stage (`["cuda:0", "cuda:0"]`).  Where stages share some,
  `beside` says how many times as long an operation of one takes while one of another runs (see
  `sim.times.shared`), or a stage's `contention_factor` the same of all it does beside busy
  neighbours (see `sim.times.contention`).
- `issue_s`, by operation: host seconds to ask for one instruction; `interpreter` names the
  interpreter that does so for each stage, and `lock_share` is the share of issuing that holds its
  lock.
- `transfers`: seconds of messages by boundary, direction and size.
- `all_reduces`, `all_reduce_bytes`, by operation F and B: how many all-reduces a pass of a stage
  takes where several devices share its layers (`sim.tensor`), and the bytes of all of them.

`spread` has the median, interquartile range and number of repeats behind a value, by its name;
`link` the message times that latency and bandwidth were fitted to.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sim.errors import InputError, ProfileError
from sim.files.reading import text_of
from sim.files.writing import write_text

# Bounds as the configuration's, so that sums of what is measured stay finite
Amount = Annotated[float, Field(ge=0, le=1e15, allow_inf_nan=False)]
Factor = Annotated[float, Field(ge=1e-6, le=1e6)]
Share = Annotated[float, Field(ge=0, le=1)]
Place = Annotated[int, Field(ge=0, le=10**9)]
OpName = Annotated[str, Field(pattern="^[FBIWU]$")]
STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)


class Spread(BaseModel):
    """How far repeated measurements of one value scatter: median and interquartile range."""

    model_config = STRICT
    median: Amount
    iqr: Amount
    repeats: Annotated[int, Field(ge=1, le=10**9)]


class LinkSample(BaseModel):
    """One measured message: its size in bytes, and seconds from one stage's end to the next's
    start."""

    model_config = STRICT
    size_bytes: Amount
    seconds: Spread


class TransferProfile(BaseModel):
    """Measured messages over one boundary, from stage `boundary` to the next or back.

    Seconds are linear between the sizes of the samples, those of the smallest below it, and go on
    beyond the largest as steeply as before it.
    """

    model_config = STRICT
    boundary: Place
    direction: Literal["forward", "backward"]
    samples: Annotated[tuple[LinkSample, ...], Field(min_length=1, strict=False)]


class Beside(BaseModel):
    """One pair that shares hardware: while `beside_op` of `beside_stage` runs, `op` of `stage`
    takes `factor` times as long."""

    model_config = STRICT
    stage: Place
    op: OpName
    beside_stage: Place
    beside_op: OpName
    factor: Factor


class StageProfile(BaseModel):
    """What was measured of one stage: seconds per micro-batch (update: per update), and bytes.

    Beside weight versions and activations a stage holds `resident_bytes` all the time (optimizer,
    buffers) and `workspace_bytes` more at the peak of a backward or update.  As its device's
    allocator hands them out, a micro-batch holds `held_bytes` from its forward to its backward
    (None: `activation_bytes`), and by operation an instruction needs at most `rise_bytes` more
    while it runs than is held before it.

    Where the halves of a backward are apart, a micro-batch holds `halved_bytes` between them (None:
    the input half does all).  A stage that replays captured graphs has `slot_bytes` of memory of
    its own for each micro-batch in flight at its peak, all the time (None: no such slots).

    By operation, `issue_s` are host seconds from beginning to ask for an instruction of one
    micro-batch until all of it has been asked for; empty where the host does the work itself.
    `all_reduces` and `all_reduce_bytes` are the exchanges of a pass of one micro-batch where
    several devices share the stage, their number and their bytes together; empty: not known.
    """

    model_config = STRICT
    forward_s: Amount
    backward_s: Amount
    input_backward_s: Amount | None = None
    weight_backward_s: Amount | None = None
    recompute_s: Amount | None = None
    update_s: Amount = 0.0
    weight_bytes: Amount | None = None
    activation_bytes: Amount | None = None
    input_bytes: Amount | None = None
    workspace_bytes: Amount | None = None
    resident_bytes: Amount | None = None
    held_bytes: Amount | None = None
    halved_bytes: Amount | None = None
    slot_bytes: Amount | None = None
    rise_bytes: dict[OpName, Amount] = {}
    issue_s: dict[OpName, Amount] = {}
    all_reduces: dict[OpName, Amount] = {}
    all_reduce_bytes: dict[OpName, Amount] = {}
    contention_factor: Factor | None = None
    spread: dict[str, Spread] = {}


class Profile(BaseModel):
    """A profile file: what was measured of every stage and of the links between them.

    `boundary_bytes` are the bytes a micro-batch sends from each stage to the next, `latency_s`
    seconds and `bandwidth_bytes_per_s` bytes per second of a link.  `notes` is free for whoever
    measured it.  The overall `contention_factor` is for the reader; the simulator uses the stages'
    own, and neither where there is `beside`.  A pair that `beside` does not name has the factor 1;
    a boundary and direction that `transfers` does not name takes latency and bandwidth.
    """

    model_config = STRICT
    format: Literal["pipestale-profile"]
    version: Literal[1]
    stages: Annotated[tuple[StageProfile, ...], Field(min_length=1, strict=False)]
    device: str = ""
    microbatch_size: Annotated[int, Field(ge=1, le=10**9)] | None = None
    boundary_bytes: Annotated[tuple[Amount, ...], Field(strict=False)] | None = None
    latency_s: Amount = 0.0
    bandwidth_bytes_per_s: Annotated[float, Field(ge=1e-6)] | None = None
    placement: Annotated[tuple[str, ...], Field(strict=False)] | None = None
    contention_factor: Factor | None = None
    beside: Annotated[tuple[Beside, ...], Field(strict=False)] = ()
    interpreter: Annotated[tuple[str, ...], Field(strict=False)] | None = None
    lock_share: Share = 1.0
    transfers: Annotated[tuple[TransferProfile, ...], Field(strict=False)] = ()
    link: Annotated[tuple[LinkSample, ...], Field(strict=False)] = ()
    notes: dict[str, Any] = {}


def read_profile(path: str | Path) -> Profile:
    """The profile in a file.  Raises ProfileError with everything that is wrong with it."""
    try:
        profile = Profile.model_validate(json.loads(text_of(path)))
    except InputError as error:
        raise ProfileError(str(error)) from None
    except ValidationError as errors:  # a ValueError too, so it comes first
        lines = [f"{path}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in errors.errors()]
        raise ProfileError("\n".join(lines)) from None
    except (ValueError, RecursionError) as error:
        raise ProfileError(f"{path}: not JSON: {error}") from None
    lines = [f"{path}: {line}" for line in (*_misplaced(profile), *_twice(profile))]
    if lines:
        raise ProfileError("\n".join(lines))
    return profile


def _misplaced(profile: Profile) -> Iterator[str]:
    """What is about a stage or boundary that the profile does not have."""
    stages = len(profile.stages)
    for number, pair in enumerate(profile.beside):
        for name in ("stage", "beside_stage"):
            if getattr(pair, name) >= stages:
                yield (f"beside.{number}.{name}: stages are 0 to {stages - 1}, got "
                       f"{getattr(pair, name)}")
    for number, each in enumerate(profile.transfers):
        if each.boundary >= stages - 1:
            there = f"boundaries are 0 to {stages - 2}" if stages > 1 else "one stage has none"
            yield f"transfers.{number}.boundary: {there}, got {each.boundary}"
    if profile.interpreter is not None and len(profile.interpreter) != stages:
        yield (f"interpreter: one name per stage, so {stages}, got {len(profile.interpreter)}")


def _twice(profile: Profile) -> Iterator[str]:
    """What is said more than once, so that it is not clear what counts."""
    pairs = Counter((p.stage, p.op, p.beside_stage, p.beside_op) for p in profile.beside)
    for (stage, op, other, beside), times in pairs.items():
        if times > 1:
            yield f"beside: {op} of stage {stage} beside {beside} of stage {other}, {times} times"
    ways = Counter((each.boundary, each.direction) for each in profile.transfers)
    for (boundary, direction), times in ways.items():
        if times > 1:
            yield f"transfers: boundary {boundary} {direction}, {times} times"
    for number, each in enumerate(profile.transfers):
        for size, times in Counter(sample.size_bytes for sample in each.samples).items():
            if times > 1:
                yield f"transfers.{number}.samples: {size:g} bytes, {times} times"


def write_profile(profile: Profile, path: str | Path) -> None:
    """Write a profile's file, complete or not at all, without what was not measured."""
    text = profile.model_dump_json(indent=1, exclude_defaults=True)
    write_text(path, f"{text}\n")
