"""A profile: measured seconds and bytes of every stage, as a JSON file.

    {"format": "pipestale-profile", "version": 1, "device": "…", "microbatch_size": 8,
     "stages": [{"forward_s": 0.01, "backward_s": 0.02, "recompute_s": 0.01, "update_s": 0.001,
                 "weight_bytes": 1000, "activation_bytes": 5000, "input_bytes": 400}, …],
     "boundary_bytes": [400, …], "latency_s": 1e-5, "bandwidth_bytes_per_s": 1e10}

`forward_s`, `backward_s` and `recompute_s` are of one micro-batch; a backward of several takes
that many times as long.  Only `stages` with `forward_s` and `backward_s` is required.

Where stages share hardware, `placement` names each stage's (`["cuda:0", "cuda:0"]`) and a stage's
`contention_factor` says how many times as long it takes beside busy neighbours there; see
`sim.times.contention`.  `spread` has the median, interquartile range and number of repeats behind a
value, by its name; `link` the message times that latency and bandwidth were fitted to.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sim.errors import ProfileError
from sim.trace import atomic_file

Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Factor = Annotated[float, Field(gt=0, allow_inf_nan=False)]
OpName = Annotated[str, Field(pattern="^[FBIWU]$")]
STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)


class Spread(BaseModel):
    """How far repeated measurements of one value scatter: median and interquartile range."""

    model_config = STRICT
    median: Amount
    iqr: Amount
    repeats: Annotated[int, Field(ge=1)]


class LinkSample(BaseModel):
    """One measured message: its size in bytes, and seconds from one stage's end to the next's
    start."""

    model_config = STRICT
    size_bytes: Amount
    seconds: Spread


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
    """

    model_config = STRICT
    forward_s: Amount
    backward_s: Amount
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
    contention_factor: Factor | None = None
    spread: dict[str, Spread] = {}


class Profile(BaseModel):
    """A profile file: what was measured of every stage and of the links between them.

    `boundary_bytes` are the bytes a micro-batch sends from each stage to the next, `latency_s`
    seconds and `bandwidth_bytes_per_s` bytes per second of a link.  `notes` is free for whoever
    measured it.  The overall `contention_factor` is for the reader; the simulator uses the stages'
    own.
    """

    model_config = STRICT
    format: Literal["pipestale-profile"]
    version: Literal[1]
    stages: Annotated[tuple[StageProfile, ...], Field(min_length=1, strict=False)]
    device: str = ""
    microbatch_size: Annotated[int, Field(ge=1)] | None = None
    boundary_bytes: Annotated[tuple[Amount, ...], Field(strict=False)] | None = None
    latency_s: Amount = 0.0
    bandwidth_bytes_per_s: Annotated[float, Field(gt=0)] | None = None
    placement: Annotated[tuple[str, ...], Field(strict=False)] | None = None
    contention_factor: Factor | None = None
    link: Annotated[tuple[LinkSample, ...], Field(strict=False)] = ()
    notes: dict[str, Any] = {}


def read_profile(path: str | Path) -> Profile:
    """The profile in a file.  Raises ProfileError with everything that is wrong with it."""
    try:
        return Profile.model_validate(json.loads(Path(path).read_text()))
    except OSError as error:
        raise ProfileError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ProfileError(f"{path}: not a text file") from None
    except ValidationError as errors:  # a ValueError too, so it comes first
        lines = [f"{path}: {'.'.join(map(str, e['loc']))}: {e['msg']}" for e in errors.errors()]
        raise ProfileError("\n".join(lines)) from None
    except (ValueError, RecursionError) as error:
        raise ProfileError(f"{path}: not JSON: {error}") from None


def write_profile(profile: Profile, path: str | Path) -> None:
    """Write a profile's file, complete or not at all, without what was not measured."""
    text = profile.model_dump_json(indent=1, exclude_none=True)
    with atomic_file(path) as file:
        file.write(f"{text}\n".encode())
