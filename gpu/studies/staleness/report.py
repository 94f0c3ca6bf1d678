"""What the staleness study found, as JSON and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gpu.lanes.devices import DeviceSpec
from gpu.studies.pages import report_table, write_report
from gpu.studies.staleness.investigation import PROBED, Findings, Study
from gpu.studies.staleness.prediction import HORIZONS
from gpu.studies.summary import facts, formatted, place, summarised
from sim.rows import Rows
from sim.spread import SAID
from sim.wording import plural

QUANTITIES = ("minibatches_to_target", "seconds_to_target", "total_s", "training_loss",
         "validation_loss", "training_accuracy", "validation_accuracy")


def report(study: Study, found: Findings, specs: Sequence[DeviceSpec], command: str
           ) -> dict[str, Any]:
    """The study as one object for JSON: every quantity summarised over seeds, by method."""
    labels = [method.label for method in study.methods]
    training, pipeline = study.base.training, study.base.pipeline
    return {
        "command": command, "machine": facts(specs),
        "model": study.settings.model, "data": study.settings.data or "synthetic",
        "settings": {
            "stages": pipeline.stages, "minibatches": pipeline.minibatches,
            "backward": pipeline.backward, "image_size": study.settings.image_size,
            "noise": study.settings.noise, "loss": study.settings.loss,
            "evaluation": "BatchNorm by its running statistics",
            **training.model_dump(include={"batch_size", "learning_rate", "momentum",
                                           "convention", "evaluate_every"})},
        "seeds": list(study.seeds), "target_accuracy": study.target, "timed": study.timed,
        "methods": {label: _method(found, label) for label in labels},
        "prediction": {label: _prediction(found.prediction, label) for label in labels
                       if label in PROBED},
        "refused": {each.mitigation: each.reason for each in study.refused},
    }


def _method(found: Findings, label: str) -> dict[str, Any]:
    weights = _of(found.distances, label)
    stages = sorted({row["stage"] for row in weights})
    return {
        **{quantity: {p: [summarised([r[quantity] for r in weights
                                  if (r["pass"], r["stage"]) == (p, k)]) for k in stages]
                      for p in ("forward", "backward")}
           for quantity in ("lag", "rmse", "relative")},
        **{name: summarised([row[name] for row in _of(found.targets, label)],
                            share=name.endswith("accuracy")) for name in QUANTITIES},
        "diverged_seeds": [row["seed"] for row in _of(found.targets, label)
                           if row["diverged_at"] is not None]}


def _prediction(rows: Rows, label: str) -> dict[str, Any]:
    """By horizon: mean over updates, then spread over seeds."""
    mine = _of(rows, label)
    seeds = sorted({row["seed"] for row in mine})

    def mean(seed: int, steps: int, name: str) -> float:
        values = [r[name] for r in mine if (r["seed"], r["horizon"]) == (seed, steps)]
        return sum(values) / len(values) if values else float("nan")

    return {str(steps): {name: summarised([mean(seed, steps, name) for seed in seeds])
                         for name in ("stale_rmse", "predicted_rmse", "stale_relative",
                                      "predicted_relative")} for steps in HORIZONS}


def _of(rows: Rows, label: str) -> Rows:
    return [row for row in rows if row["method"] == label]


def write(report: dict[str, Any], out: Path) -> list[Path]:
    """Write `staleness.json` and `staleness.md` into the folder; their paths."""
    return write_report(report, markdown(report), out, "staleness")


def markdown(report: dict[str, Any]) -> str:
    """The report as a Markdown page: the tables, and under what settings they hold."""
    s = report["settings"]
    return "\n".join([
        f"# Weight staleness on {report['model']}, {s['stages']} stages\n",
        f"`{report['command']}`\n",
        f"{report['data']} images, batch {s['batch_size']}, {s['minibatches']} mini-batches, "
        f"learning rate {s['learning_rate']}, momentum {s['momentum']} ({s['convention']}), "
        f"backward `{s['backward']}`; {plural(len(report['seeds']), 'seed')}: {SAID}. "
        f"{place(report['machine'])}\n",
        "## Distance from the fresh weights (% of their norm), by stage\n", _distances(report),
        "## Weights to come against stale and predicted ones (RMSE, mean over updates)\n",
        _predictions(report),
        f"## Training, and the way to {100 * report['target_accuracy']:.0f} % validation "
        "accuracy\n",
        f"Evaluated every {s['evaluate_every']} mini-batches; seconds are those of the program on "
        "the devices above, without evaluations.\n" if report["timed"] else "Not timed.\n",
        _training(report), *_cut(report), *_refused(report)])


def _distances(report: dict[str, Any]) -> str:
    rows = [[label, p, *(formatted(k, 2, 100) for k in found["relative"][p])]
            for label, found in report["methods"].items() for p in ("forward", "backward")]
    stages = [f"stage {k}" for k in range(report["settings"]["stages"])]
    return report_table(["method", "pass", *stages], rows)


def _predictions(report: dict[str, Any]) -> str:
    rows = [[label, steps, formatted(found["stale_rmse"], 3, 1e3),
             formatted(found["predicted_rmse"], 3, 1e3),
             f"{found['predicted_rmse']['mean'] / found['stale_rmse']['mean']:.2f}"
             if found["stale_rmse"]["mean"] else "–"]
            for label, by in report["prediction"].items() for steps, found in by.items()]
    return report_table(["training", "horizon s", "stale, 10⁻³", "predicted, 10⁻³", "ratio"], rows)


def _training(report: dict[str, Any]) -> str:
    rows = [[label, formatted(f["minibatches_to_target"], 0), formatted(f["seconds_to_target"], 2),
             formatted(f["total_s"], 2),
             formatted(f["training_loss"]), formatted(f["validation_loss"]),
             formatted(f["training_accuracy"], 1, 100), formatted(f["validation_accuracy"], 1, 100)]
            for label, f in report["methods"].items()]
    return report_table(["method", "mini-batches", "seconds", "whole run, s", "training loss",
                  "validation loss", "training accuracy, %", "validation accuracy, %"], rows)


def _cut(report: dict[str, Any]) -> list[str]:
    """What else differs where a batch is cut in micro-batches."""
    cut = [label for label in report["methods"] if "," in label]
    if not cut:
        return []
    named = " and ".join(f"`{label}`" for label in cut)
    return [f"BatchNorm sees a micro-batch at a time, so {named} also train with "
            "statistics of fewer images: their losses are not the weights' staleness alone.\n"]


def _refused(report: dict[str, Any]) -> list[str]:
    lines = [f"- `{name}`: {reason}" for name, reason in report["refused"].items()]
    return ["## Refused\n", *lines, ""] if lines else []
