"""The columns of a trace's file: the table that is written, read and checked by."""

from __future__ import annotations

# name, dtype, meaning; NaN and −1 stand for "does not apply"
COLUMNS: dict[str, tuple[str, str]] = {
    "device": ("int16", "device that executed it"),
    "op": ("int8", "operation, numbered as in sim.order.instruction.Op"),
    "stage": ("int16", "stage"),
    "index": ("int32", "first micro-batch covered, from 0 over the whole run"),
    "count": ("int32", "micro-batches covered"),
    "start_s": ("float64", "start"),
    "end_s": ("float64", "end"),
    "sent_s": ("float64", "when the message it needs left its producer (NaN: none)"),
    "arrived_s": ("float64", "when that message was here (NaN: none)"),
    "version_read": ("int32", "weight version read (oldest, where a pass covers several)"),
    "version_applied": ("int32", "version just before the mini-batch's own update"),
    "staleness": ("float64", "updates between the two (mean over what the pass covers)"),
    "effective_staleness": ("float64", "the same for interpolated weights"),
    "weight_distance": ("float64", "weights used against fresh ones, relative (NaN: unknown)"),
    "weight_rmse": ("float64", "weights used against fresh ones, RMSE (NaN: unknown)"),
}

# of a run whose hosts are told apart from its devices, and there alone
HOST_COLUMNS: dict[str, tuple[str, str]] = {
    "asked_s": ("float64", "when the host began to ask for it (NaN: it does not)"),
    "issued_s": ("float64", "when the host had asked for all of it (NaN: it does not)"),
}

# of a run in which two instructions may be issued as one, and there alone
PAIR_COLUMNS: dict[str, tuple[str, str]] = {
    "paired": ("int8", "1 where it is issued as one with the other of its pair, else 0"),
}
