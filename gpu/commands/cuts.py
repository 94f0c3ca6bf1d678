"""`--cut` and `--plan`: a cut of the network's layers into stages, given by who runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from sim.errors import ConfigurationError, InputError, shown

MOST = 4096  # stages, and copies of one: as many as an experiment may have
MOST_LAYERS = 10**6


@dataclass(frozen=True)
class AskedCut:
    """A cut as it was asked for: how many layers each stage has, and on how many devices it is;
    with no `layers` the network's own, which is for as many stages as there are devices.  Replicas
    have the `warmup` that was best as simulated (None: the order's own)."""

    layers: tuple[int, ...] | None = None
    replicas: tuple[int, ...] = ()
    warmup: int | None = None

    @property
    def keys(self) -> dict[str, Any]:
        """What it makes of an experiment that says nothing else, keys of `pipeline` by bare name.

        [choice] Stages with several devices run in PipeDream's order for them.
        """
        found: dict[str, Any] = {} if self.layers is None else {"stages": len(self.layers)}
        if any(many > 1 for many in self.replicas):
            found |= {"schedule": "hybrid", "replicas": list(self.replicas)}
            found |= {} if self.warmup is None else {"warmup": self.warmup}
        return found


OWN_CUT = AskedCut()


def cut_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options `--cut` and `--plan` of a command; it gets them as `cut` and `plan`."""
    for option in (
            click.option("--plan", type=click.Path(path_type=Path), metavar="FILE",
                         help="Cut the network as this says: what analysis partition --json "
                         "printed."),
            click.option("--cut", metavar="N,N,…",
                         help="Cut the network so: layers of each stage, e.g. 2,4.")):
        command = option(command)
    return command


def asked_cut(cut: str | None, plan: Path | None) -> AskedCut:
    """The cut that was asked for.

    Raises ConfigurationError with everything that is wrong with it, or InputError.
    """
    if cut is not None and plan is not None:
        raise ConfigurationError(["--cut, --plan: both cut the network; give one of them"])
    if plan is not None:
        return planned(plan)
    return OWN_CUT if cut is None else counted(cut)


def counted(text: str) -> AskedCut:
    """A cut from the numbers of its stages' layers, by commas.  Raises ConfigurationError."""
    parts = [part.strip() for part in text.split(",")]
    wrong = [f"--cut: stage {k}: layers are a number from 1, got {shown(part)}"
             for k, part in enumerate(parts[:MOST + 1]) if not _count(part)]
    if len(parts) > MOST:
        wrong.append(f"--cut: at most {MOST} stages, got {len(parts)}")
    if wrong:
        raise ConfigurationError(wrong)
    return AskedCut(tuple(int(part) for part in parts), (1,) * len(parts))


def _count(text: str) -> bool:
    return text.isdecimal() and len(text) < 7 and int(text) > 0


def planned(path: Path) -> AskedCut:
    """The cut in a file that `analysis partition --json` printed.

    Raises ConfigurationError with everything that is wrong in it, or InputError.
    """
    from sim.files.reading import text_of

    try:
        found = json.loads(text_of(path))
    except InputError as error:
        raise InputError(f"--plan {error}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError([f"--plan {path}: not JSON: {shown(str(error))}"]) from None
    stages = found.get("stages") if isinstance(found, dict) else None
    if not isinstance(stages, list) or not 1 <= len(stages) <= MOST:
        raise ConfigurationError([f"--plan {path}: no stages; give what analysis partition "
                                  "--json prints"])
    wrong, first, cut, copies = [], 0, [], []
    for k, stage in enumerate(stages):
        table = stage if isinstance(stage, dict) else {}
        ends, many = _span(table.get("layers")), table.get("replicas", 1)
        if ends is None or ends[0] != first:
            wrong.append(f"--plan {path}: stages.{k}.layers: the first and the last layer, from "
                         f"{first} on, got {shown(table.get('layers'))}")
            break  # those behind it begin where it ends
        if not _whole(many) or not 1 <= many <= MOST:
            wrong.append(f"--plan {path}: stages.{k}.replicas: 1 to {MOST}, got {shown(many)}")
        cut.append(ends[1] - ends[0] + 1)
        copies.append(many)
        first = ends[1] + 1
    warmup = _warmup(found)
    if warmup is not None and (not _whole(warmup) or warmup < 1):
        wrong.append(f"--plan {path}: warmup: at least 1, got {shown(warmup)}")
    if wrong:
        raise ConfigurationError(wrong)
    return AskedCut(tuple(cut), tuple(copies), warmup)


def _warmup(found: dict[str, Any]) -> Any:
    """The warm-up of the order that was best as simulated, where the file tells of one."""
    simulated: Any = found.get("simulated")
    best: Any = found.get("order")
    if not isinstance(simulated, list) or not _whole(best) or not 0 <= best < len(simulated):
        return None
    return simulated[best].get("warmup") if isinstance(simulated[best], dict) else None


def _span(value: Any) -> tuple[int, int] | None:
    """A first and a last layer; None for anything else."""
    if not isinstance(value, list) or len(value) != 2 or not all(map(_whole, value)):
        return None
    first, last = value
    return (first, last) if 0 <= first <= last <= MOST_LAYERS else None


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
