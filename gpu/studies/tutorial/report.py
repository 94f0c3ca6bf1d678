"""What the seeds' experiments gave, as JSON and as Markdown, published numbers beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gpu.profiling.machine import Machine
from gpu.studies.spread import place, plural, spread, table, told, write_json, write_text
from gpu.studies.tutorial.look_ahead import METHODS
from gpu.studies.tutorial.published import TUTORIAL
from gpu.studies.tutorial.split_sizes import Kind, Rows, column
from gpu.studies.tutorial.tutorial import Measured, Tutorial

ASKED = ("total_s", "training_loss", "validation_loss", "training_accuracy",
         "validation_accuracy")
DIFFERENCES = (
    "Images are on the devices before the clock starts; the tutorial makes and copies them inside.",
    "The pipelined run is a gpipe program (all forwards, all backwards, one update); the "
    "tutorial's loop orders forwards alone and leaves the backward to autograd.",
    "With BatchNorm a split batch has the statistics of each micro-batch, not of the whole batch.",
)


def report(tutorial: Tutorial, found: Measured, command: str) -> dict[str, Any]:
    """Means with spread; ratios are of medians, so that one disturbed repeat moves none."""
    setting, timing = tutorial.setting, by_mode(found.timing, "seconds", tutorial.setting.splits)
    return {
        "command": command, "machine": Machine.of(tutorial.specs).facts(),
        "reduced": tutorial.reduced, "setting": asdict(setting), "timing_s": timing,
        "cpu_s": by_mode(found.timing, "cpu_s", setting.splits),
        "ratios_of_medians": ratios(timing), "differences": list(DIFFERENCES),
        "published": TUTORIAL,
        "look_ahead": {
            "setting": {**asdict(tutorial.course.settings), "epochs": tutorial.course.epochs,
                        "minibatches_per_epoch": tutorial.course.minibatches_per_epoch(),
                        "batch_size": tutorial.course.batch_size,
                        "learning_rate": tutorial.course.learning_rate,
                        "momentum": tutorial.course.momentum, "convention": "heavy-ball",
                        "seeds": list(tutorial.course.seeds)},
            "methods": {method.label: {
                name: spread([row[name] for row in found.totals if row["method"] == method.label])
                for name in ASKED} for method in METHODS}},
    }


def by_mode(rows: Rows, name: str, splits: Sequence[int]) -> dict[str, Any]:
    """Spread of one column for every way to run."""

    def of(kind: Kind, split: int | None = None) -> dict[str, Any]:
        return spread(list(column(rows, name, kind, split)))

    return {"single": of("single"), "model_parallel": of("model parallel"),
            "pipelined": {str(split): of("pipelined", split) for split in splits}}


def ratios(timing: dict[str, Any]) -> dict[str, Any]:
    """Time over the single device's, and the split that takes least."""
    alone = timing["single"]["median"]
    by_split = {split: each["median"] / alone for split, each in timing["pipelined"].items()}
    return {"model_parallel_over_single": timing["model_parallel"]["median"] / alone,
            "pipelined_over_single": by_split,
            "best_split": int(min(by_split, key=by_split.__getitem__))}


def write(report: dict[str, Any], out: Path) -> list[Path]:
    """`tutorial.json` and `tutorial.md`."""
    paths = [out / "tutorial.json", out / "tutorial.md"]
    write_json(paths[0], report)
    write_text(paths[1], markdown(report))
    return paths


def markdown(report: dict[str, Any]) -> str:
    """The tables, and what they can be compared with."""
    s = report["setting"]
    size = "reduced" if report["reduced"] else "full"
    return "\n".join([
        f"# Single device, model parallel, pipelined ({size} setting)\n",
        f"`{report['command']}`\n",
        f"{s['model']}, batch {s['batch_size']}, images 3×{s['image_size']}×{s['image_size']}, "
        f"{s['classes']} classes, {s['loss']}, SGD {s['learning_rate']:g}, {s['minibatches']} "
        f"mini-batches; {plural(s['repeats'], 'repeat')} in turns after one not counted, mean ± "
        f"one standard deviation [95 % interval of the mean]. {place(report['machine'])}\n",
        *(["**Reduced**: not the tutorial's ResNet-50, 120 images of 128×128; its numbers are no "
           "measure of ours.\n"] if report["reduced"] else []),
        _timing(report), *(f"- {line}" for line in report["differences"]), "",
        "## Model parallel with and without NWPT\n", _look_ahead(report)])


def _timing(report: dict[str, Any]) -> str:
    ours, theirs, over = (report["timing_s"], report["published"], report["ratios_of_medians"])
    named = [("single device", ours["single"], 1.0, theirs["single_s"]),
             ("model parallel", ours["model_parallel"], over["model_parallel_over_single"],
              theirs["model_parallel_s"])]
    named += [(f"pipelined, split size {split}", each, over["pipelined_over_single"][split],
               theirs["pipelined_s"].get(split)) for split, each in ours["pipelined"].items()]
    busy = report["cpu_s"]
    cpu = [busy["single"], busy["model_parallel"], *busy["pipelined"].values()]
    rows = [[name, told(each), f"{each['min']:.3f}", f"{work['mean'] / each['mean']:.2f}",
             f"{ratio:.2f}", *(("–", "–") if other is None else (f"{other:.2f}",
                                                 f"{other / theirs['single_s']:.2f}"))]
            for (name, each, ratio, other), work in zip(named, cpu, strict=True)]
    shown = table(["", "seconds", "fastest", "host CPU s per s", "over single (medians)",
                   f"{theirs['label']}: seconds", "over single"], rows)
    return (f"{shown}\nSource of the published column: {theirs['source']}; {theirs['setting']}.\n"
            "\nWhere ours differs:\n")


def _look_ahead(report: dict[str, Any]) -> str:
    found = report["look_ahead"]
    s = found["setting"]
    rows = [[label, told(each["total_s"], 2), told(each["training_loss"]),
             told(each["validation_loss"]), told(each["training_accuracy"], 1, 100),
             told(each["validation_accuracy"], 1, 100)]
            for label, each in found["methods"].items()]
    return (f"{s['data'] or 'Synthetic'} images, side {s['image_size']}, {s['epochs']} epochs of "
            f"{s['minibatches_per_epoch']} mini-batches, batch {s['batch_size']}, heavy ball "
            f"{s['momentum']}, learning rate {s['learning_rate']:g}, {s['loss']}; "
            f"{plural(len(s['seeds']), 'seed')}. Seconds are those of the program alone, "
            "evaluations not counted; the rest is after the last epoch.\n\n" + table(
                ["", "total, s", "training loss", "validation loss", "training accuracy, %",
                 "validation accuracy, %"], rows))
