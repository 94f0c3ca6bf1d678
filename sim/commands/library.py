"""What `import sim` gives that asks the analysis package, as only commands may."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sim.commands.compare import TARGET, Rows
from sim.library.asking import Asked, Order, with_order


def compare(experiment: Asked = None, /, *, mitigations: str | Iterable[str] | None = None,
            systems: str | Iterable[str] | None = None, seeds: int = 1,
            target: float | None = None, program: Order = None, **keys: Any) -> Rows:
    """A row for each mitigation, or for each system, as `sim compare --json` has them.

    Names are a list or text with commas, `all` by default: `i-timeprest:decay=2@nf1b/7`.  Numbers
    are means over `seeds`, which count from training.seed; `target` is the validation accuracy
    for systems to reach.  `experiment`, `program` and `keys` as `sim.run` takes them; systems have
    orders of their own, and mitigations on a program name no schedule.

    Raises ConfigurationError; what a row alone refuses stands in the row, under `refused`.
    """
    from analysis.comparison.compare import rows
    from analysis.comparison.systems import system_rows
    from sim.errors import ConfigurationError
    from sim.experiment.compared.contender import contenders, on_one_order
    from sim.experiment.compared.entrant import entrants

    problems = [] if seeds >= 1 else [f"seeds: at least 1, got {seeds}"]
    if systems is not None and mitigations is not None:
        problems.append("systems, mitigations: rows are one or the other")
    if systems is None and target is not None:
        problems.append("target: is of systems")
    if systems is not None and program is not None:
        problems.append("systems, program: a system has an order of its own")
    if problems:
        raise ConfigurationError(problems)
    resolved, order = with_order(experiment, keys | {"pipeline.mitigation": "none"}, program)
    averaged = range(resolved.training.seed, resolved.training.seed + seeds)
    if systems is None:
        names = _commas(mitigations or "all")
        chosen = contenders(names) if order is None else on_one_order(names)
        return rows(resolved, chosen, averaged, program=order)
    return system_rows(resolved, entrants(_commas(systems)), averaged,
                       TARGET if target is None else target)


def _commas(names: str | Iterable[str]) -> str:
    return names if isinstance(names, str) else ",".join(names)
