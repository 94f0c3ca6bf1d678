"""The tutorial's pictures with their rows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from figures.bundles import split_sizes
from figures.drawing.style import styled
from figures.origin import save
from sim.wording import plural


@styled()
def write(report: Mapping[str, Any], found: Any, out: Path) -> list[Path]:
    """Write the tutorial's pictures and rows into the folder; their paths, in order.

    `found` has the rows of a `gpu` tutorial's `Measured`.
    """
    s, learnt = report["setting"], report["look_ahead"]["setting"]
    size = "reduced setting: " if report["reduced"] else ""
    title = (f"{size}{s['model']}, batch {s['batch_size']}, 3×{s['image_size']}×{s['image_size']}, "
             f"{s['minibatches']} mini-batches; single device {report['single_device']}, stages "
             f"on {', '.join(report['machine']['devices'])}")
    course = (f"{size}{s['model']}, batch {learnt['batch_size']}, "
              f"{plural(learnt['epochs'], 'epoch')}, learning rate {learnt['learning_rate']:g}, "
              f"{plural(len(learnt['seeds_done']), 'seed')}")
    pictures = [
        (split_sizes.draw(found.timing, s["shown"], title), found.timing, "split_sizes"),
        (split_sizes.draw_look_ahead(found.curves, course), found.curves, "look_ahead"),
        (split_sizes.draw_totals(found.totals, course), found.totals, "look_ahead_time")]
    return [path for figure, rows, name in pictures
            for path in save(figure, rows, out, name, report["command"])]
