"""What the bench's README tells of runs that are kept in tables: our distributed runtime beside
PyTorch's pipelining, and orders that were searched for."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from statistics import median

from figures.rows import read_rows
from sim.rows import Rows
from tests.bench.ordering.outcome import Outcome, read
from tests.docs.claims import check
from tests.docs.documents import ROOT

TABLE = ROOT / "tests/bench/pipelining/measured.csv"
SCHEDULES = ("gpipe", "1f1b", "interleaved")


def runs(occasion: str) -> list[Rows]:
    found: dict[int, Rows] = {}
    for row in read_rows(TABLE):
        if row["occasion"] == occasion:
            found.setdefault(row["run"], []).append(row)
    assert all(len(rows) == 6 for rows in found.values())
    return list(found.values())


def ratio(rows: Rows, case: str) -> float:
    return next(float(row["ratio"]) for row in rows if row["case"] == case)


def worst(rows: Rows) -> Rows:
    return sorted(rows, key=lambda row: -float(row["ratio"]))


@check("pipelining-quiet")
def quiet() -> Iterator[str]:
    both = runs("quiet")
    assert len(both) == 2
    assert all(worst(rows)[0]["case"] == "1f1b large" for rows in both)
    yield " ".join(f"{worst(rows)[0]['ratio']:.3f}" for rows in both)
    for rows in both:
        yield f"{worst(rows)[0]['ours_ms']:.1f} {worst(rows)[0]['torch_ms']:.1f}"
    for rows in both:
        yield " ".join(f"{ratio(rows, f'{name} small'):.2f}" for name in SCHEDULES)
    for name in ("gpipe", "interleaved"):
        yield " ".join(f"{ratio(rows, f'{name} large'):.2f}" for rows in both)


@check("pipelining-busy")
def busy() -> Iterator[str]:
    six = runs("busy")
    assert len(six) == 6
    loads = [float(rows[0]["load_before"]) for rows in six]
    yield f"{min(loads):.1f} {max(loads):.1f} {six[0][0]['steps']}"
    yield " ".join(f"{worst(rows)[0]['ratio']:.2f}" for rows in six)


def by_case(work: str) -> Iterator[str]:
    for name in SCHEDULES:
        found = [ratio(rows, f"{name} {work}") for rows in runs("busy")]
        yield f"{median(found):.2f} {min(found):.2f} {max(found):.2f}"


check("pipelining-small")(partial(by_case, "small"))
check("pipelining-large")(partial(by_case, "large"))


@check("orders-found")
def orders_found() -> Iterator[str]:
    found = read()
    assert all(one.better or one.proved for one in found)
    yield (f"{100 * median(one.above_bound for one in found):.2f} "
           f"{100 * max(one.above_bound for one in found):.2f}")
    better = sum(one.better for one in found)
    yield f"{sum(one.proved for one in found)} {len(found)} {better} {len(found) - better}"


def under(limit: str) -> Iterator[str]:
    found: list[Outcome] = [one for one in read() if one.limit == limit]
    known = median(one.named_s / one.lower_bound_s - 1 for one in found)
    above = [100 * one.above_bound for one in found]
    yield (f"{len(found)} {100 * known:.1f} {median(above):.2f} {max(above):.2f} "
           f"{sum(one.better for one in found)}")


for _limit in ("zb-h1", "1f1b", "none"):
    check(f"orders-found-{_limit}")(partial(under, _limit))
