"""Predicted against measured: an H100 in two halves, and CPU threads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from statistics import median
from typing import Any

from figures.rows import read_rows
from tests.docs.claims import check
from tests.docs.claims.data import MEASURED, report

H100 = {"128": "validate-resnet50-128px", "224 none": "validate-resnet50-224px-none",
        "224 stash": "validate-resnet50-224px-stash", "narrow": "validate-narrow-32px"}
CPU = {name: f"cpu-2core/{name}/report.json" for name in (
    "validate", "validate-large", "validate-pairs")}
STEP, DURATION = "step_time_rel_error", "event_duration_p95_rel"
START, MEMORY = "event_start_p95_rel", "memory_rel_error"


def h100(*folders: str) -> list[dict[str, Any]]:
    return [run for name in folders or H100
            for run in report(f"h100-halves/{H100[name]}/report.json")["runs"]]


def errors(runs: Iterable[dict[str, Any]], name: str) -> list[float]:
    return [100 * run["statistical"][name] for run in runs]


def aims() -> dict[str, float]:
    """What all reports aim at, in percent."""
    reports = [report(f"h100-halves/{folder}/report.json") for folder in H100.values()]
    reports += [report(path) for path in CPU.values()]
    assert all(each["targets"] == reports[0]["targets"] for each in reports)
    return {name: 100 * value for name, value in reports[0]["targets"].items()}


def exact(run: dict[str, Any]) -> bool:
    found = run["exact"]
    return bool(found["order_equal"] and found["versions_equal"]
                and found["weights_max_rel"] == 0)


@check("h100-exact")
def h100_exact() -> Iterator[str]:
    assert all(map(exact, h100()))
    yield f"{len(h100())}"


@check("h100-steps")
def h100_steps() -> Iterator[str]:
    runs = h100("128")
    whole = [run for run in runs if run["microbatches"] == 1]
    cut = [run for run in runs if run["microbatches"] > 1]
    assert {(run["batch_size"], run["image_size"]) for run in runs} == {(64, 128)}
    assert [run["label"].split(",")[0] for run in cut] == ["none@gpipe/4"]
    yield f"{runs[0]['batch_size']} {runs[0]['image_size']} {aims()[STEP]:g}"
    yield f"{min(errors(whole, STEP)):.2f} {max(errors(whole, STEP)):.2f}"
    yield f"{errors(cut, STEP)[0]:.1f}"


@check("h100-events")
def h100_events() -> Iterator[str]:
    runs = h100("128")
    for name, form in ((DURATION, ".1f"), (MEMORY, ".2f")):
        found = errors(runs, name)
        yield "95" if name == DURATION else ""
        yield f"{aims()[name]:g} {min(found):{form}} {max(found):{form}}"


@check("h100-others")
def h100_others() -> Iterator[str]:
    none, stash = h100("224 none"), h100("224 stash")
    yield f"{none[0]['image_size']} {errors(none, STEP)[0]:.2f} {errors(stash, STEP)[0]:.2f}"
    narrow = h100("narrow")
    yield f"{narrow[0]['batch_size']} {narrow[0]['image_size']}"
    yield f"{min(errors(narrow, STEP)):.1f} {max(errors(narrow, STEP)):.0f}"


def path_ratio(rows: list[dict[str, Any]]) -> float:
    """The measured makespan over the longest path of the run's own durations, from its rows."""
    done: dict[tuple[int, str, int, int], float] = {}
    free: dict[int, float] = {}
    stages, n = 1 + max(r["stage"] for r in rows), 1 + max(r["microbatch"] or 0 for r in rows)
    for row in sorted(rows, key=lambda r: (r["measured_start_s"], r["measured_end_s"])):
        k, op, i, j = row["stage"], row["op"], row["minibatch"], row["microbatch"] or 0
        every = range(n) if row["microbatch"] is None else [j]
        before = {"F": [(k - 1, "F", i, m) for m in every],
                  "B": [(k + 1, "B", i, m) for m in every] if k + 1 < stages
                  else [(k, "F", i, m) for m in every],
                  "U": [(k, "B", i, m) for m in range(n)]}[op]
        ready = max([free.get(row["device"], 0.0), *(done.get(key, 0.0) for key in before)])
        end = ready + row["measured_end_s"] - row["measured_start_s"]
        done[k, op, i, j] = free[row["device"]] = end
    first = min(row["measured_start_s"] for row in rows)
    return float((max(row["measured_end_s"] for row in rows) - first) / max(free.values()))


@check("h100-path")
def h100_path() -> Iterator[str]:
    found: dict[str, dict[str, float]] = {}
    for folder in H100.values():
        rows = read_rows(MEASURED / "h100-halves" / folder / "rows.csv")
        for run in dict.fromkeys(row["run"] for row in rows):
            kind = folder if "narrow" in folder else "resnet50"
            found.setdefault(kind, {})[run] = path_ratio([r for r in rows if r["run"] == run])
    resnet = [ratio for run, ratio in found["resnet50"].items() if "gpipe" not in run]
    (cut,) = (ratio for run, ratio in found["resnet50"].items() if "gpipe" in run)
    narrow = found[H100["narrow"]].values()
    yield f"{min(resnet):.3f} {max(resnet):.3f} {cut:.3f} {min(narrow):.2f} {max(narrow):.2f}"


@check("h100-in-short")
def h100_in_short() -> Iterator[str]:
    """The README: 'all 13 runs … 2 % … five of six … 128 … 5 % … none'."""
    yield from h100_exact()
    resnet = h100("128")
    assert sum(error <= aims()[STEP] for error in errors(resnet, STEP)) == 5
    assert len(resnet) == 6
    assert min(errors(h100(), DURATION)) > aims()[DURATION]
    yield f"{aims()[STEP]:g} {resnet[0]['image_size']} {aims()[DURATION]:g}"


def cpu_row(name: str, form: str, aim: bool = True) -> Iterator[str]:
    if aim:
        yield f"{aims()[name]:g}"
    for folder in ("validate", "validate-large"):
        found = errors(report(CPU[folder])["runs"], name)
        yield f"{max(found):{form}} {median(found):{form}}"


@check("cpu-where")
def cpu_where() -> Iterator[str]:
    one, other = report(CPU["validate"]), report(CPU["validate-large"])
    assert one["date"] == other["date"] == "2026-11-21"
    assert "2 cores" in one["device"] == other["device"]
    assert "Xeon" in one["device"]
    sizes = {(run["batch_size"], run["image_size"]) for run in other["runs"]}
    yield f"{one['load_before']:.1f}"
    yield " ".join(f"{size}" for size in sizes.pop())
    yield f"{other['load_before']:.1f}"


@check("cpu-exact")
def cpu_exact() -> Iterator[str]:
    assert all(exact(run) for path in CPU.values() for run in report(path)["runs"])
    yield "0 0"


@check("cpu-steps")
def cpu_steps() -> Iterator[str]:
    return cpu_row(STEP, ".2g")


@check("cpu-durations")
def cpu_durations() -> Iterator[str]:
    yield "95"
    yield from cpu_row(DURATION, ".0f")


@check("cpu-starts")
def cpu_starts() -> Iterator[str]:
    yield "95"
    yield from cpu_row(START, ".2g")


@check("cpu-memory")
def cpu_memory() -> Iterator[str]:
    yield from cpu_row(MEMORY, ".2g")


@check("cpu-order")
def cpu_order() -> Iterator[str]:
    for folder in ("validate", "validate-large"):
        yield f"{report(CPU[folder])['statistical']['kendall_tau']:.1f}"


@check("cpu-missed")
def cpu_missed() -> Iterator[str]:
    runs = report(CPU["validate-large"])["runs"]
    *others, last = runs
    off, step = errors(runs, STEP), last["statistical"]
    assert max(errors(runs, MEMORY)) < aims()[MEMORY]
    assert off[-1] == max(off)
    yield f"{off[-1]:.0f} {1e3 * step['step_time_predicted_s']:.0f}"
    yield f"{1e3 * step['step_time_measured_s']:.0f}"
    yield f"{min(errors(others, STEP)):.1f} {max(errors(others, STEP)):.1f}"


@check("cpu-pairs")
def cpu_pairs() -> Iterator[str]:
    found = report(CPU["validate-pairs"])
    runs = found["runs"]
    assert len(runs) == found["repeats"] == 5
    assert all(map(exact, runs))
    steps, apart = errors(runs, STEP), [100 * run["spread"]["step_time_rel"] for run in runs]
    yield f"{found['load_before']:.1f} {max(errors(runs, MEMORY)):.3f}"
    yield f"{min(steps):.1f} {max(steps):.1f} {min(apart):.1f} {max(apart):.1f} {aims()[STEP]:g}"
    ratios = [run["critical_path_ratio"] for run in runs]
    yield f"{min(ratios):.3f} {max(ratios):.3f}"
