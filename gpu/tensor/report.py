"""A tensor-parallel measurement as files: JSON, a page, and the simulator's table `tensor`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gpu.studies.pages import report_table, write_report
from sim.files.writing import write_text


def write(found: dict[str, Any], command: str, out: Path) -> list[Path]:
    """Write what was found into a folder, as `tensor.json`, `.md` and `.toml`; the paths."""
    table = out / "tensor.toml"
    paths = write_report({"command": command, **found}, page(found, command), out, "tensor")
    write_text(table, configuration(found))
    return [*paths, table]


def configuration(found: dict[str, Any]) -> str:
    """The table `tensor` of an experiment file: as many ways, and the ring as fitted."""
    fit = found["all_reduce"]
    lines = ["[tensor]", f"ways = {found['ways']}", f"ring_latency_s = {fit['latency_s']!r}"]
    if fit["bandwidth_bytes_per_s"] is not None:
        lines.append(f"ring_bandwidth_bytes_per_s = {fit['bandwidth_bytes_per_s']!r}")
    return "\n".join(lines) + "\n"


def page(found: dict[str, Any], command: str) -> str:
    """What was found, in Markdown."""
    return "\n\n".join(["# Tensor parallelism, measured", f"`{command}`", _machine(found),
                        _exact(found), _all_reduces(found), _passes(found)]) + "\n"


def _machine(found: dict[str, Any]) -> str:
    load = found["load_after"]
    return (f"{found['ways']} processes over gloo on {found['device']}, {found['date']}, torch "
            f"{found['libraries']['torch']}"
            + ("." if load is None else f"; {load:.2f} processes were running on average over the "
               "minute before the end."))


def _exact(found: dict[str, Any]) -> str:
    same, learnt = found["equality"], found["training"]
    counts = report_table(["stage", "all-reduces of forwards", "of backwards"], [
        [str(k), str(each["forward"]), str(each["backward"])]
        for k, each in enumerate(learnt["all_reduces"])])
    return "\n\n".join([
        "## Exact part: " + ("passed" if found["passed"] else "FAILED"),
        "A pair split by columns, then rows, differs from the whole one by "
        f"{same['output']:.1e} in its output, {same['input_gradient']:.1e} in the gradient of its "
        "input and "
        f"{same['weight_gradients']:.1e} in those of its weights (relative, float64; limit "
        f"{same['limit']:g}). One forward took {same['forward']} all-reduce, one backward "
        f"{same['backward']}.",
        f"Trained by {learnt['mitigation']}@{learnt['schedule']}/{learnt['microbatches']} for "
        f"{learnt['updates']} updates, all ranks "
        + ("executed the same order and read the same versions"
           if learnt["logs_equal"] and learnt["whole_logs_equal"]
           else "did NOT read the same versions")
        + f" (up to {learnt['staleness_max']} updates old), and their weights together differ from "
        f"those of whole stages by {learnt['weights']:.1e}.", counts])


def _all_reduces(found: dict[str, Any]) -> str:
    fit, ways = found["all_reduce"], found["ways"]
    rate = fit["bandwidth_bytes_per_s"]
    rows = [[_bytes(each["size_bytes"]), f"{1e3 * each['median_s']:.3f}",
             f"{1e3 * each['iqr_s']:.3f}", f"{1e3 * each['predicted_s']:.3f}",
             f"{100 * each['error']:+.0f} %", "fitted" if each["fitted"] else "checked"]
            for each in fit["sizes"]]
    errors = fit["held_out_error"]
    return "\n\n".join([
        "## All-reduces",
        f"`2(p−1)α + 2(p−1)/p·n/β` with p = {ways}, fitted to every other size: α = "
        f"{1e6 * fit['latency_s']:.0f} µs, β = "
        + (f"{rate / 1e9:.2f} GB/s" if rate else "no limit seen")
        + f". On the sizes that the fit does not know it is off by {100 * errors['median']:.0f} % "
        f"(median), at most {100 * errors['largest']:.0f} %.",
        report_table(["size", "ms, median", "ms, interquartile", "ms, by α and β", "off by", ""],
                     rows)])


def _passes(found: dict[str, Any]) -> str:
    passes = found["passes"]
    rows = [[way, *(f"{1e3 * passes[name][way]['median']:.2f} ± "
                    f"{1e3 * passes[name][way]['iqr'] / 2:.2f}" for name in ("whole_s", "split_s")),
             f"{1e3 * passes['predicted_s'][way]:.2f}", f"{100 * passes['error'][way]:+.0f} %"]
            for way in passes["split_s"]]
    return "\n\n".join([
        "## A pass of a pair",
        f"{passes['entering']} × {4 * passes['entering']} numbers, {passes['batch']} rows, "
        "float32; ± is half the interquartile range. Predicted: whole / p + one all-reduce.",
        report_table(["pass", "ms, whole", "ms, split", "ms, predicted", "off by"], rows)])


def _bytes(size: float) -> str:
    return f"{size / 2**20:g} MB" if size >= 2**20 else f"{size / 2**10:g} kB"
