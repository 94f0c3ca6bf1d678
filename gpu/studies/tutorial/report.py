"""What the seeds' experiments gave, as JSON and as Markdown, published numbers beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gpu.studies.pages import report_table, write_report
from gpu.studies.summary import facts, formatted, place, summarised
from gpu.studies.tutorial.look_ahead import LEARNING_RATE, METHODS, WHY_THIS_RATE
from gpu.studies.tutorial.performance import Measured, Tutorial
from gpu.studies.tutorial.published import TUTORIAL
from gpu.studies.tutorial.split_sizes import Kind, column, whole
from sim.rows import Rows
from sim.spread import SAID
from sim.wording import plural

QUANTITIES = ("total_s", "training_loss", "validation_loss", "training_accuracy",
         "validation_accuracy")
DIFFERENCES = (
    "Images are on the devices before the clock starts; the tutorial makes and copies them inside.",
    "The pipelined run is a gpipe program (all forwards, all backwards, one update); the "
    "tutorial's loop orders forwards alone and leaves the backward to autograd.",
    "With BatchNorm a split batch has the statistics of each micro-batch, not of the whole batch.",
)


def report(tutorial: Tutorial, found: Measured, command: str) -> dict[str, Any]:
    """The tutorial as one object for JSON, quantities summarised, published numbers beside ours.

    Ratios are of medians, so that one disturbed repeat moves none.
    """
    setting, timing = tutorial.setting, by_mode(found.timing, "seconds", tutorial.setting.splits)
    first = tutorial.specs[0]
    return {
        "command": command, "machine": facts(tutorial.specs),
        "single_device": str(whole(first)), "stages_on_parts": first.parts > 1,
        "reduced": tutorial.reduced, "setting": asdict(setting),
        "repeats_done": len(timing["single"]["values"]), "timing_s": timing,
        "captured": {"runs": sum(row["graphs"] for row in found.timing),
                     "of": sum(row["mode"] != "single" for row in found.timing)},
        "cpu_s": by_mode(found.timing, "cpu_s", setting.splits),
        "ratios_of_medians": ratios(timing), "differences": list(DIFFERENCES),
        "published": TUTORIAL,
        "look_ahead": {
            "setting": {**asdict(tutorial.course.settings), "epochs": tutorial.course.epochs,
                        "minibatches_per_epoch": tutorial.course.minibatches_per_epoch(),
                        "batch_size": tutorial.course.batch_size,
                        "learning_rate": tutorial.course.learning_rate,
                        "momentum": tutorial.course.momentum, "convention": "heavy-ball",
                        "seeds": list(tutorial.course.seeds),
                        "seeds_done": sorted({row["seed"] for row in found.totals})},
            "methods": {method.label: {
                **{name: summarised([row[name] for row in found.totals
                                     if row["method"] == method.label],
                                    share=name.endswith("accuracy")) for name in QUANTITIES},
                "diverged_seeds": [row["seed"] for row in found.totals
                                   if row["method"] == method.label
                                   and row["diverged_at"] is not None]}
                for method in METHODS}},
    }


def by_mode(rows: Rows, name: str, splits: Sequence[int]) -> dict[str, Any]:
    """Summary over repeats of one column (`seconds` or `cpu_s`) for every way to run."""

    def of(kind: Kind, split: int | None = None) -> dict[str, Any]:
        return summarised(list(column(rows, name, kind, split)))

    return {"single": of("single"), "model_parallel": of("model parallel"),
            "pipelined": {str(split): of("pipelined", split) for split in splits}}


def ratios(timing: dict[str, Any]) -> dict[str, Any]:
    """Each way's median time over the single device's, and the split size that takes least."""
    alone = timing["single"]["median"]
    by_split = {split: each["median"] / alone for split, each in timing["pipelined"].items()}
    return {"model_parallel_over_single": timing["model_parallel"]["median"] / alone,
            "pipelined_over_single": by_split,
            "best_split": int(min(by_split, key=by_split.__getitem__))}


def write(report: dict[str, Any], out: Path) -> list[Path]:
    """Write `tutorial.json` and `tutorial.md` into the folder; their paths."""
    return write_report(report, markdown(report), out, "tutorial")


def markdown(report: dict[str, Any]) -> str:
    """The report as a Markdown page: the tables, and what they can be compared with."""
    s = report["setting"]
    size = "reduced" if report["reduced"] else "full"
    return "\n".join([
        f"# Single device, model parallel, pipelined ({size} setting)\n",
        f"`{report['command']}`\n",
        f"{s['model']}, batch {s['batch_size']}, images 3×{s['image_size']}×{s['image_size']}, "
        f"{s['classes']} classes, {s['loss']}, SGD {s['learning_rate']:g}, {s['minibatches']} "
        f"mini-batches; {_done(report['repeats_done'], s['repeats'], 'repeat')} in turns after one "
        f"not counted, {SAID}. {place(report['machine'])}\n",
        _devices(report),
        *(["**Reduced**: not the tutorial's ResNet-50, 120 images of 128×128; its numbers are no "
           "measure of ours.\n"] if report["reduced"] else []),
        _timing(report), *(f"- {line}" for line in report["differences"]), "",
        "## Model parallel with and without NWPT\n", _look_ahead(report)])


def _done(number: int, asked: int, noun: str) -> str:
    """How many there were, and of how many where time ran out: `3 of 10 repeats`."""
    return plural(number, noun) if number == asked else (
        f"{number} of {plural(asked, noun)} (no time left)")


def _devices(report: dict[str, Any]) -> str:
    """What the single device is, and how the stages were launched."""
    alone, captured = report["single_device"], report["captured"]
    parts = (f"The single device is **all of {alone}** on a plain stream; the stages run on its "
             "parts. " if report["stages_on_parts"] else f"The single device is {alone}. ")
    return (f"{parts}It runs as anyone writes it in torch; stages were captured as CUDA graphs in "
            f"{captured['runs']} of {captured['of']} runs of model parallel and pipeline "
            f"(`--graphs {report['setting']['graphs']}`).\n")


def _timing(report: dict[str, Any]) -> str:
    ours, theirs, over = (report["timing_s"], report["published"], report["ratios_of_medians"])
    named = [("single device", ours["single"], 1.0, theirs["single_s"]),
             ("model parallel", ours["model_parallel"], over["model_parallel_over_single"],
              theirs["model_parallel_s"])]
    named += [(f"pipelined, split size {split}", each, over["pipelined_over_single"][split],
               theirs["pipelined_s"].get(split)) for split, each in ours["pipelined"].items()]
    busy = report["cpu_s"]
    cpu = [busy["single"], busy["model_parallel"], *busy["pipelined"].values()]
    rows = [[name, formatted(each), f"{each['min']:.3f}", f"{work['mean'] / each['mean']:.2f}",
             f"{ratio:.2f}", *(("–", "–") if other is None else (f"{other:.2f}",
                                                 f"{other / theirs['single_s']:.2f}"))]
            for (name, each, ratio, other), work in zip(named, cpu, strict=True)]
    shown = report_table(["", "seconds", "fastest", "host CPU s per s", "over single (medians)",
                   f"{theirs['label']}: seconds", "over single"], rows)
    return (f"{shown}\nSource of the published column: {theirs['source']}; {theirs['setting']}.\n"
            "\nWhere ours differs:\n")


def _look_ahead(report: dict[str, Any]) -> str:
    found = report["look_ahead"]
    s = found["setting"]
    rows = [[label, formatted(each["total_s"], 2), formatted(each["training_loss"]),
             formatted(each["validation_loss"]), formatted(each["training_accuracy"], 1, 100),
             formatted(each["validation_accuracy"], 1, 100)]
            for label, each in found["methods"].items()]
    why = f" ({WHY_THIS_RATE})" if s["learning_rate"] == LEARNING_RATE else ""
    gone = [f"{label}: seeds {', '.join(map(str, each['diverged_seeds']))} diverged."
            for label, each in found["methods"].items() if each["diverged_seeds"]]
    return (f"{s['data'] or 'Synthetic'} images, side {s['image_size']}, "
            f"{plural(s['epochs'], 'epoch')} of {s['minibatches_per_epoch']} mini-batches, batch "
            f"{s['batch_size']}, heavy ball {s['momentum']}, learning rate "
            f"{s['learning_rate']:g}{why}, {s['loss']}; "
            f"{_done(len(s['seeds_done']), len(s['seeds']), 'seed')}. Seconds are those of the "
            "program alone, evaluations not counted; the rest is after the last epoch, BatchNorm "
            "by its running statistics: while these have not settled, in the first epochs, a loss "
            f"can be far above that of the mini-batches trained on. {' '.join(gone)}\n\n"
            + report_table(
                ["", "total, s", "training loss", "validation loss", "training accuracy, %",
                 "validation accuracy, %"], rows))
