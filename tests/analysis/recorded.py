"""Traces of the runs in a validation's folder, put together again from its report and raw rows."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from figures.rows import read_rows
from sim.experiment.configuration import resolve
from sim.experiment.machine import cost_model
from sim.experiment.run import run
from sim.op import Op
from sim.times.profile import read_profile


def recorded(folder: Path):
    """Of every run its entry in the report, its predicted and measured trace, and the seconds each
    row takes alone.  Files of old hold no moments of messages, so transfers are unknown."""
    rows = read_rows(folder / "rows.csv")
    for entry in json.loads((folder / "report.json").read_text())["runs"]:
        mine = [row for row in rows if row["run"] == entry["label"]]
        names = ("stages", "minibatches", "microbatches", "schedule", "mitigation")
        experiment = resolve({"pipeline": {name: entry[name] for name in names},
                              "training": {"task": "none", "batch_size": entry["batch_size"]}})
        plain = run(experiment)
        assert [(row["op"], row["minibatch"]) for row in mine] == [
            (Op(op).name, m) for op, m in zip(plain.op, plain.minibatch.tolist(), strict=True)]
        nowhere = np.full(len(plain), np.nan)
        predicted, measured = (replace(
            plain, start_s=np.array([row[f"{side}_start_s"] for row in mine], float),
            end_s=np.array([row[f"{side}_end_s"] for row in mine], float), sent_s=nowhere,
            arrived_s=nowhere) for side in ("predicted", "measured"))
        name = re.sub(r"[^\w.-]+", "-", entry["label"]).strip("-")
        profile = read_profile(folder / "profiles" / f"{name}.json")
        alone = cost_model(experiment, profile).nominal(plain.op, plain.stage, plain.count)
        yield entry, predicted, measured, alone
