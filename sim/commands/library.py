"""What `import sim` gives that asks the analysis package, as only commands may."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sim.commands.compare import TARGET, Rows
from sim.library.asking import Asked, experiment_of


def compare(experiment: Asked = None, /, *, mitigations: str | Iterable[str] | None = None,
            systems: str | Iterable[str] | None = None, seeds: int = 1,
            target: float | None = None, **keys: Any) -> Rows:
    """A row for each mitigation, or for each system, as `sim compare --json` has them.

    Names are a list or text with commas, `all` by default: `i-timeprest:decay=2@nf1b/7`.  Numbers
    are means over `seeds`, which count from training.seed; `target` is the validation accuracy
    for systems to reach.  `experiment` and `keys` as `sim.run` takes them.

    Raises ConfigurationError; what a row alone refuses stands in the row, under `refused`.
    """
    from analysis.comparison.compare import rows
    from analysis.comparison.systems import system_rows
    from sim.errors import ConfigurationError
    from sim.experiment.compared.contender import contenders
    from sim.experiment.compared.entrant import entrants

    problems = [] if seeds >= 1 else [f"seeds: at least 1, got {seeds}"]
    if systems is not None and mitigations is not None:
        problems.append("systems, mitigations: rows are one or the other")
    if systems is None and target is not None:
        problems.append("target: is of systems")
    if problems:
        raise ConfigurationError(problems)
    resolved = experiment_of(experiment, keys | {"pipeline.mitigation": "none"})
    averaged = range(resolved.training.seed, resolved.training.seed + seeds)
    if systems is None:
        return rows(resolved, contenders(_commas(mitigations or "all")), averaged)
    return system_rows(resolved, entrants(_commas(systems)), averaged,
                       TARGET if target is None else target)


def _commas(names: str | Iterable[str]) -> str:
    return names if isinstance(names, str) else ",".join(names)
