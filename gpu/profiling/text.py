"""A profile's main numbers for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sim.times.profile import Profile, StageProfile

OPS = {"F": "forward_s", "B": "backward_s", "I": "input_backward_s", "W": "weight_backward_s",
       "U": "update_s"}


def profile_table(profile: Profile) -> str:
    """A profile as text, 80 columns at most: times, slow-downs, bytes, then the link.

    Milliseconds of a micro-batch (of updates per update), factors, and bytes.
    """
    return "\n".join([*_times(profile.stages), "", *_beside(profile), *_bytes(profile.stages), "",
                      *_link(profile)])


def _times(stages: Sequence[StageProfile]) -> Iterator[str]:
    yield "ms of the device alone, and of the host to ask for it"
    known = [op for op, name in OPS.items() if any(getattr(s, name) is not None for s in stages)]
    hosts = any(stage.issue_s for stage in stages)
    yield _row("stage", [*known, "again", *(f"ask {op}" for op in known if hosts)])
    for k, stage in enumerate(stages):
        alone = [getattr(stage, OPS[op]) for op in known] + [stage.recompute_s]
        asked = [stage.issue_s.get(op) for op in known if hosts]
        yield _row(str(k), ["–" if v is None else f"{1e3 * v:.3f}" for v in (*alone, *asked)])


def _beside(profile: Profile) -> Iterator[str]:
    """How many times as long each operation takes beside each other one on its hardware."""
    if not profile.beside:
        return
    yield "times as long beside a neighbour's"
    columns = sorted({(p.beside_stage, p.beside_op) for p in profile.beside},
                     key=lambda each: (each[0], list(OPS).index(each[1])))
    rows = sorted({(p.stage, p.op) for p in profile.beside},
                  key=lambda each: (each[0], list(OPS).index(each[1])))
    factor = {((p.stage, p.op), (p.beside_stage, p.beside_op)): p.factor for p in profile.beside}
    for part in (columns[n : n + 8] for n in range(0, len(columns), 8)):
        yield _row("", [f"{stage}{op}" for stage, op in part])
        for stage, op in rows:
            found = [factor.get(((stage, op), each)) for each in part]
            if any(found):
                yield _row(f"{stage}{op}", ["–" if f is None else f"{f:.2f}" for f in found])
    yield ""


def _bytes(stages: Sequence[StageProfile]) -> Iterator[str]:
    yield "bytes"
    names = {"weights": "weight_bytes", "always": "resident_bytes", "micro-batch": "held_bytes",
             "for a moment": "workspace_bytes"}
    yield _row("stage", list(names), 16)
    for k, stage in enumerate(stages):
        values = [getattr(stage, name) for name in names.values()]
        yield _row(str(k), ["–" if v is None else f"{v:.0f}" for v in values], 16)


def _link(profile: Profile) -> Iterator[str]:
    rate = profile.bandwidth_bytes_per_s
    yield (f"link: {1e6 * profile.latency_s:.1f} us, "
           + (f"{rate / 1e9:.3g} GB/s" if rate else "no limit found") + f"; on {profile.device}")
    if profile.notes.get("graphs"):
        yield "stages captured as CUDA graphs"
    if profile.notes.get("graphs_why"):
        yield f"not captured: {profile.notes['graphs_why']}"


def _row(name: str, cells: Sequence[str], width: int = 9) -> str:
    return f"{name:5}" + "".join(cell.rjust(width) for cell in cells)
