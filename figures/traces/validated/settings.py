"""What runs of validations are called in pictures, and how their marks look."""

from __future__ import annotations

from collections.abc import Sequence

from figures.drawing.colours import COLOURS
from figures.methods import METHODS
from sim.rows import Row

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h")
NETWORKS = {"resnet50": "ResNet-50", "vgg16": "VGG-16", "narrow": "narrow ResNet"}
CONTENDERS = {method.contender: method.colour for method in METHODS}
SEQUENTIAL = "none@sequential"


def network(model: str) -> str:
    """The name of a network as it is written."""
    return NETWORKS.get(model, model)


def setting(row: Row) -> str:
    """Network, batch and image size of a run, as one label."""
    return f"{network(row['model'])}, batch {row['batch_size']}, {row['image_size']} px"


def markers(rows: Sequence[Row]) -> dict[str, str]:
    """A mark for every setting in `rows`, in the order they come."""
    names = dict.fromkeys(setting(row) for row in rows)
    return {name: MARKERS[number % len(MARKERS)] for number, name in enumerate(names)}


def method(row: Row) -> str:
    """What a run's colour stands for: its mitigation, or that it is sequential."""
    return "sequential" if row["schedule"] == "sequential" else str(row["mitigation"])


def colour(name: str) -> str:
    """The colour a `method` has in every picture; grey where it has none."""
    contender = SEQUENTIAL if name == "sequential" else name
    known = next((each for contended, each in CONTENDERS.items()
                  if contended == contender or contended.startswith(f"{contender}@nf1b")), "grey")
    return COLOURS[known]


def program(row: Row) -> str:
    """A run's program as `sim compare` takes it: `stash` (on round-robin), `none@gpipe/4`."""
    micro = f"/{row['microbatches']}" if row["microbatches"] > 1 else ""
    if row["schedule"] == "round-robin" and not micro:
        return str(row["mitigation"])
    return f"{row['mitigation']}@{row['schedule']}{micro}"
