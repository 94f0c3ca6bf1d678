"""What a search comes to on one of the instances, beside its lower bound and the known orders."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from analysis.ordering.bounds.makespan import lower_bound_s
from analysis.ordering.search import search
from tests.bench.ordering.instances import instance, limit_of

TABLE = Path(__file__).with_name("measured.csv")
ROUNDS = 1_000_000


@dataclass(frozen=True)
class Outcome:
    """One instance: whose memory is the limit, the lower bound, the best known order that fits, and
    what was found in so many moves (fewer where it met the bound), in seconds."""

    seed: int
    limit: str
    limit_bytes: float
    lower_bound_s: float
    named: str
    named_s: float
    found_s: float
    start: str
    rounds: int
    judged: int

    @property
    def above_bound(self) -> float:
        """By what part what was found is above the bound."""
        return self.found_s / self.lower_bound_s - 1

    @property
    def proved(self) -> bool:
        """Whether nothing can be better, but for ticks to which seconds are rounded."""
        return self.above_bound < 1e-6

    @property
    def better(self) -> bool:
        """Whether what was found is below every known order."""
        return self.found_s < self.named_s


def outcome(seed: int, rounds: int = ROUNDS) -> Outcome:
    """Search the instance of a seed, and tighten its bound by what was found."""
    problem = instance(seed)
    found = search(problem, rounds=rounds, seed=seed, bound_s=lower_bound_s(problem))
    name = min(found.named_s, key=lambda each: (found.named_s[each], len(each)))  # of twins one
    return Outcome(seed, limit_of(seed), problem.limit_bytes,
                   lower_bound_s(problem, found.makespan_s, seconds=60.0), name,
                   found.named_s[name], found.makespan_s, found.start, rounds, found.judged)


def summary(outcomes: Iterable[Outcome]) -> str:
    """What the instances come to, in a line."""
    each = list(outcomes)
    above = [one.above_bound for one in each]
    return (f"{len(each)} instances: {100 * statistics.median(above):.2f} % above the lower bound "
            f"in the median, {100 * max(above):.2f} % at most, proved to be "
            f"the best in {sum(one.proved for one in each)}; below the best known order in "
            f"{sum(one.better for one in each)}")


def written(outcomes: Iterable[Outcome], path: Path) -> None:
    """Write outcomes as a table."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, [each.name for each in fields(Outcome)], lineterminator="\n")
        table.writeheader()
        table.writerows(map(asdict, outcomes))


def read(path: Path = TABLE) -> list[Outcome]:
    """The outcomes in a table."""
    with path.open(encoding="utf-8", newline="") as file:
        return [Outcome(**{each.name: KINDS[each.type](row[each.name]) for each in fields(Outcome)})
                for row in csv.DictReader(file)]


KINDS = {"int": int, "float": float, "str": str}
