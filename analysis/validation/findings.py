"""What a validation report says in sentences: how far to trust it, and what explains a miss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.validation.split import PARTS

BUSY = 0.25  # [choice] load of other programs, as a share of the cores, that is worth a warning
TINY = 0.05  # [choice] of a step's difference: a part that makes up less is not named
NAMES = {"step_time_rel_error": "step time", "event_duration_p95_rel": "event durations, p95",
         "event_start_p95_rel": "event starts, p95 (of the makespan)",
         "memory_rel_error": "peak memory"}
OWN = {"step_time_rel_error": "step_time_rel", "event_duration_p95_rel": "event_duration_p95_rel",
       "event_start_p95_rel": "event_start_p95_rel"}


def warnings(report: Mapping[str, Any]) -> list[str]:
    """What has to be known before any number of the report is read; often nothing."""
    busy = others_load(report["load_before"], report["cores"])
    found = [] if busy is None else [
        f"The machine was busy with other work: {busy} before this began. Times are off by what "
        "that took."]
    shaky = [name for name, aim in report["targets"].items()
             if (own := machines_own(report["runs"], name)) is not None and own > aim]
    if shaky:
        found.append("Repeats of one run differ by more than is aimed at in "
                     f"{listed([NAMES[name] for name in shaky])}: there no model could have met "
                     "the aim for certain on this machine.")
    return found


def others_load(load: float | None, cores: int) -> str | None:
    """The load of other programs, in words, where it is worth a warning; None where it is not.

    `load` is the mean number of processes that ran or waited (None: unknown).
    """
    return f"its load was {load:.1f} on {cores} cores" if load and load > BUSY * cores else None


def machines_own(runs: Sequence[Mapping[str, Any]], error: str) -> float | None:
    """How far repeats are from their median run, as `error` is given: the median over the runs.

    None where too few repeats were made, or the error has no such spread.
    """
    values = sorted(value for run in runs if error in OWN
                    if (value := (run.get("spread") or {}).get(OWN[error])) is not None)
    return values[len(values) // 2] if values else None


def step_difference(run: Mapping[str, Any]) -> str:
    """Which part of a step is predicted worst, in a sentence."""
    split = run["split"]
    name = split["largest"]
    predicted, measured = (split[side][name] for side in ("predicted", "measured"))
    sd = split["spread"][name]
    if max(abs(split["predicted"][part] - split["measured"][part]) for part in PARTS) == 0:
        return "every part of a step is as predicted"
    return (f"the largest difference is {name}: {ms(predicted)} of a step predicted, "
            f"{ms(measured)}{'' if sd is None else f' ± {ms(sd)}'} measured")


def misses(run: Mapping[str, Any], targets: Mapping[str, float]) -> list[str]:
    """A sentence for every aim the run misses, with what explains it as far as is known."""
    found = []
    for name, aim in targets.items():
        value = run["statistical"][name]
        if value is None or value <= aim:
            continue
        said = WHY[name](run) if name in WHY else ""
        own = (run.get("spread") or {}).get(OWN.get(name, ""))
        beside = "" if own is None else f", repeats differ by {percent(own)}"
        found.append(f"{NAMES[name]} {percent(value)} (aim {percent(aim)}{beside}){said}")
    return found


def step_made_up(run: Mapping[str, Any]) -> str:
    """By how much a step is longer than predicted, and what that is made up of, in a sentence."""
    split = run["split"]
    off = {name: split["measured"][name] - split["predicted"][name] for name in PARTS}
    whole = sum(off.values())
    told = [f"{name} {'+' if off[name] > 0 else '−'}{ms(abs(off[name]))}"
            for name in sorted(PARTS, key=lambda name: -abs(off[name]))
            if abs(off[name]) >= TINY * abs(whole)]
    way = "longer" if whole > 0 else "shorter"
    return f"{ms(abs(whole))} {way} than predicted, made up of {listed(told)}"


def _step_miss(run: Mapping[str, Any]) -> str:
    return f": {step_made_up(run)}"


def _event_miss(run: Mapping[str, Any]) -> str:
    events = run.get("events") or {}
    if not events:
        return ""
    told = [f"{op} {percent(value)}" for op, value in events["duration_p95_rel"].items()]
    later = events["warm_duration_p95_rel"]
    warm = "" if later is None else f"; without the first mini-batch {percent(later)}"
    return f": by operation {', '.join(told)}{warm}"


def _start_miss(run: Mapping[str, Any]) -> str:
    """Starts drift with the step; what the first mini-batch was late by stays to the end."""
    events = run.get("events") or {}
    if not events:
        return ""
    predicted, measured = (events["first_minibatch_s"][side] for side in ("predicted", "measured"))
    return f": the first mini-batch was done after {ms(measured)}, {ms(predicted)} predicted"


def _memory_miss(run: Mapping[str, Any]) -> str:
    told = [f"{each['device']} {three(each['predicted_bytes'] / 1e6)} MB predicted, "
            f"{three(each['measured_bytes'] / 1e6)} measured" for each in run["memory"]
            if each["predicted_bytes"] is not None]
    return f": {'; '.join(told)}"


WHY = {"step_time_rel_error": _step_miss, "event_duration_p95_rel": _event_miss,
       "event_start_p95_rel": _start_miss, "memory_rel_error": _memory_miss}


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them: `a, b and c`."""
    return " and ".join([*([", ".join(names[:-1])] if names[1:] else []), *names[-1:]])


def ms(seconds: float) -> str:
    """Seconds as text in milliseconds, at least three digits of them."""
    return f"{three(1e3 * seconds)} ms"


def percent(value: float | None) -> str:
    """A share as text in percent, `–` for None."""
    return "–" if value is None else f"{three(100 * value)} %"


def three(value: float) -> str:
    """A number as text with three digits, more only where it has more before its point."""
    return f"{value:.3g}" if abs(value) < 999.5 else f"{value:.0f}"
