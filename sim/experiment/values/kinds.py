"""What values a configuration's keys take: numbers with their bounds, lists, names and tables."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Discriminator, Field, Tag

STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)
# Bounds keep every sum finite and every whole number within 64 bits: a number beyond one of them
# is a slip of the finger, and would end in an overflow far from the key it stands at
MOST_BYTES, MOST_COUNT, MOST_SEED = 1e15, 10**9, 2**62
MOST_MOMENTUM = 1 - 1e-6
Seconds = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]
Bytes = Annotated[float, Field(ge=0, le=MOST_BYTES, allow_inf_nan=False)]
Room = Annotated[float, Field(gt=0)]  # bytes, inf for no limit
Bandwidth = Annotated[float, Field(ge=1e-6)]  # bytes per second, inf for no limit
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=MOST_COUNT)]
Whole = Annotated[int, Field(ge=0, le=MOST_COUNT)]

# Tagged, so that a wrong value is reported once, as what it was meant to be
NUMBER_OR_LIST = Discriminator(lambda value: "#list" if isinstance(value, list) else "#number")
NAME_OR_TABLE = Discriminator(lambda value: "#table" if isinstance(value, dict) else "#name")
SecondsPerStage = Annotated[
    Annotated[Seconds, Tag("#number")] | Annotated[list[Seconds], Tag("#list")], NUMBER_OR_LIST]
BytesPerStage = Annotated[
    Annotated[Bytes, Tag("#number")] | Annotated[list[Bytes], Tag("#list")], NUMBER_OR_LIST]
Slowdown = Annotated[float, Field(ge=1e-6, le=1e4)]
SlowdownOrList = Annotated[
    Annotated[Slowdown, Tag("#number")] | Annotated[list[Slowdown], Tag("#list")], NUMBER_OR_LIST]
BandwidthOrList = Annotated[
    Annotated[Bandwidth, Tag("#number")] | Annotated[list[Bandwidth], Tag("#list")], NUMBER_OR_LIST]
NamedTable = Annotated[
    Annotated[str, Tag("#name")] | Annotated[dict[str, Any], Tag("#table")], NAME_OR_TABLE]
