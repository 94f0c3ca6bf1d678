"""What a machine is measured by: commands, each with a cap of its own, nine minutes together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LIMIT_S = 540  # of all caps together
FINISH_S = 35  # what a step needs beyond its runs: starting, writing, a run that is slower


@dataclass(frozen=True)
class Step:
    """One command of a measurement: its arguments after `python -m gpu`, and a cap in seconds.

    `about` says what it is there for.  One that `stops` takes `--within` and begins nothing that
    would not be done before its cap; one that is `last` may also take what the others left.
    """

    name: str
    cap_s: float
    arguments: tuple[str, ...]
    about: str = ""
    stops: bool = False
    last: bool = False

    def command(self, cap_s: float) -> tuple[str, ...]:
        """The arguments of this step where it is given `cap_s` seconds."""
        within = ("--within", f"{max(1.0, cap_s - FINISH_S):.0f}") if self.stops else ()
        return (*self.arguments, *within)


CPU_GRID = "none@sequential,none,stash,none@gpipe/4,timeprest@nf1b/4"
TEN = ("none,none@gpipe/4,i-timeprest@nf1b/4,stash,none@gpipe/8,spectrain,none@1f1b/4,i-timeprest,"
       "none@nf1b/8,none@sequential")
FEW = "none,none@gpipe/4,stash"
INTERLEAVED = "none@interleaved/4,none@interleaved/8"


def steps(devices: str, out: Path, graphs: str = "auto") -> list[Step]:
    """What is measured on these devices, each step into a folder of its own below `out`.

    On GPUs ResNet-50, captured and eager, then the tutorial and the wide grid; on CPUs a small
    version with the narrow network.
    """
    place = _Place(devices, out, graphs)
    return _on_gpus(place) if "cuda" in devices else _on_cpus(place)


@dataclass(frozen=True)
class _Place:
    devices: str
    out: Path
    graphs: str

    def step(self, name: str, cap_s: float, about: str, command: str, *more: str,
             graphs: str | None = None, last: bool = False) -> Step:
        where = ("--devices", self.devices, "--graphs", graphs or self.graphs, "--out",
                 str(self.out / name))
        return Step(name, cap_s, (command, *where, *more), about, stops=command != "profile",
                    last=last)


def _on_gpus(place: _Place) -> list[Step]:
    network = ("--model", "resnet50", "--set", "minibatches=16")
    one = (*network, "--batch-sizes", "64", "--image-sizes", "128")
    four = (*network, "--batch-sizes", "64,16", "--image-sizes", "128,224")
    eager = [place.step("validate-eager", 50, "the same without CUDA graphs", "validate", *one,
                        "--grid", FEW, "--repeats", "1", graphs="off")]
    return [
        place.step("validate-gpipe", 40, "gpipe with 4 micro-batches of 16 images: 50 ms a step at "
                   "most", "validate", *one, "--grid", "none@gpipe/4"),
        place.step("validate-resnet50", 170, "ten programs at two batch and two image sizes",
                   "validate", *four, "--grid", TEN, "--repeats", "1"),
        place.step("validate-interleaved", 40, "two stages on each device", "validate", *one,
                   "--grid", INTERLEAVED, "--set", "stages=4", "--set", "chunks=2", "--repeats",
                   "1"),
        *(eager if place.graphs != "off" else []),
        place.step("tutorial", 170, "the PyTorch tutorial in full, then NWPT", "tutorial",
                   "--full"),
        place.step("validate-wide", 70, "every order and mitigation, ResNet-50 and VGG-16, as far "
                   "as time goes", "validate", "--repeats", "1", last=True)]


def _on_cpus(place: _Place) -> list[Step]:
    return [
        place.step("profile", 60, "seconds and bytes of the stages", "profile"),
        place.step("validate", 240, "five programs", "validate", "--grid", CPU_GRID),
        place.step("tutorial", 180, "the PyTorch tutorial, reduced, then NWPT", "tutorial",
                   "--image-size", "64", "--batch-size", "24", "--repeats", "4", "--epochs", "3")]


def check(todo: Sequence[Step]) -> None:
    """Raises ValueError where the caps add up to more than nine minutes."""
    if sum(step.cap_s for step in todo) > LIMIT_S:
        raise ValueError(f"the caps of all steps exceed {LIMIT_S} s")
