"""The mapping file: which ranges of a profiler's trace are which pass of which stage.

    microbatches = 8                       # of a mini-batch; default: as many as are numbered
    device = "process"                     # process, thread, file or stage: what a device is

    [[ranges]]
    name = 'stage (?P<stage>\\d+) forward (?P<microbatch>\\d+)'
    op = "F"

    [[ranges]]
    name = 'stage (?P<stage>\\d+) backward (?P<microbatch>\\d+)'
    op = "B"

A range is one whose whole name a pattern (Python's regular expressions) fits.  The pattern's groups
say what it is of: `stage`, `microbatch`, `minibatch` and `op` (one of F, B, I, W, U), each where
the key beside it does not.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from sim.errors import ConfigurationError
from sim.experiment.documents import read_document
from sim.experiment.problems import listed
from sim.experiment.values.kinds import NamedTable

STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)
GROUPS = {"stage", "microbatch", "minibatch", "op"}


def _pattern(text: str) -> str:
    """A pattern that is one, with groups this tool knows.  Raises ValueError."""
    try:
        groups = set(re.compile(text).groupindex)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"not a regular expression: {error}") from None
    if groups - GROUPS:
        raise ValueError(f"its groups are {', '.join(sorted(GROUPS))}, got "
                         f"{', '.join(sorted(groups - GROUPS))}")
    return text


class Range(BaseModel):
    """Ranges of one kind: a pattern of their names, and what it does not say of them.

    `category` is that of the trace's events (`cat`); left out, a device's own ranges
    (`gpu_user_annotation`) are taken where each of the host's has some, else the host's.
    """

    model_config = STRICT
    name: Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_pattern)]
    op: Literal["F", "B", "I", "W", "U"] | None = None
    stage: Annotated[int, Field(ge=0, le=4095)] | None = None
    category: str | None = None


class Mapping(BaseModel):
    """What a mapping file says: the ranges, what tells devices apart, and how passes are counted.

    - `device`: a `process`, a `thread`, a `file` (of several that are one run) or a `stage` is a
      device; left out, processes are where there are several, else threads.
    - `microbatches` are those of a mini-batch; left out, as many as are numbered.
    - `waits`: a range has the wait for its input `inside`, as PyTorch's do, so that a pass counts
      from when its input had been made (default); or it has `none`.
    - `mitigation`: by which versions are told; default none.

    A range without a stage is of the stage with its device's number.  Ranges without `minibatch`
    are counted: the second time that a stage does a micro-batch is of its second mini-batch.
    """

    model_config = STRICT
    ranges: Annotated[list[Range], Field(min_length=1)]
    device: Literal["process", "thread", "file", "stage"] | None = None
    microbatches: Annotated[int, Field(ge=1, le=10**6)] | None = None
    waits: Literal["inside", "none"] = "inside"
    mitigation: NamedTable = "none"


PYTORCH = Mapping.model_validate({"ranges": [
    {"name": r"PP:(?P<stage>\d{1,4})(?P<op>[FBIW])(?P<microbatch>\d{1,9})"},
    {"name": r"Forward (?P<microbatch>\d{1,9})", "op": "F"},
    {"name": r"Backward (?P<microbatch>\d{1,9})", "op": "B"}]})
"""The ranges that `torch.distributed.pipelining` names itself.  Source: torch 2.13, its
`schedules.py`: `PP:2F0` of the runtime, `Forward 0` of a rank's one stage under GPipe."""


def read_mapping(path: str | Path) -> Mapping:
    """The mapping in a TOML file.  Raises ConfigurationError with everything wrong with it."""
    document = read_document(path)
    try:
        return Mapping.model_validate(document)
    except ValidationError as errors:
        raise ConfigurationError([f"{path}: {line.replace('value error, ', '')}"
                                  for line in listed(errors, Mapping)]) from None


def as_settings(mapping: Mapping) -> dict[str, Any]:
    """The mapping as a trace's header keeps it."""
    return mapping.model_dump(exclude_defaults=True)
