"""A trace as CSV, a row per instruction."""

from __future__ import annotations

import csv
import io

import numpy as np

from sim.op import Op
from sim.trace import Trace

HEADER = ("stage", "op", "minibatch", "microbatch", "start_s", "end_s", "version_read",
          "version_applied", "staleness", "weight_distance")


def write(trace: Trace) -> bytes:
    """A trace as CSV, a row per instruction by (start, stage, micro-batch), floats in `repr`.

    `microbatch` is empty where one pass covers its whole mini-batch, `weight_distance` where it is
    unknown.
    """
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\n")
    write.writerow(HEADER)
    n = trace.shape.microbatches
    order = np.lexsort((trace.op, trace.index, trace.stage, trace.end_s, trace.start_s))
    for row in order.tolist():
        index, count = int(trace.index[row]), int(trace.count[row])
        distance = float(trace.weight_distance[row])
        write.writerow((
            int(trace.stage[row]), Op(int(trace.op[row])).name, index // n + 1,
            "" if count == n else index % n,
            repr(float(trace.start_s[row])), repr(float(trace.end_s[row])),
            int(trace.version_read[row]), int(trace.version_applied[row]),
            repr(float(trace.staleness[row])), "" if np.isnan(distance) else repr(distance)))
    return text.getvalue().encode()
