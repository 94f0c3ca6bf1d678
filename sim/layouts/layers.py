"""Layers as a profile has stages, and their cut: what a layout makes of them.

A layer profile is a profile (`sim.times.profile`) whose `stages` are layers and whose
`boundary_bytes` are what each layer sends to the next.  Layers that are alike by their letter need
no file: `costs.per_layer` gives what each letter costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sim.errors import ProfileError, shown
from sim.layouts.graph import is_graph, read_graph
from sim.times.profile import Amount, Profile, StageProfile, read_profile

ONE_DEVICE = ("placement", "beside", "interpreter")  # of stages that have devices
ALL_LAYERS = ("weight_bytes", "activation_bytes", "resident_bytes", "held_bytes", "halved_bytes",
              "slot_bytes")  # what a stage has of all its layers at once
BY_OP = ("issue_s", "all_reduces", "all_reduce_bytes")  # by operation, what adds up as well
FORMAT: dict[str, Any] = {"format": "pipestale-profile", "version": 1}


class LayerCosts(StageProfile):
    """What a layer costs: the keys of a profile's stage, and `output_bytes`, the bytes of a
    micro-batch that it sends on to the next layer."""

    output_bytes: Amount = 0.0


def layers_in(path: str | Path) -> Profile:
    """The layers in a file, a stage of the result each: our profile, or PipeDream's graph.txt.

    Raises ProfileError with everything that is wrong with it.
    """
    return read_graph(path) if is_graph(path) else read_profile(path)


def narrow_in(layers: Profile) -> tuple[int, ...] | None:
    """The layers (from 0) after which a network with branches can be cut: where the output of one
    layer alone crosses, as the profile's notes say it (`"narrow": [0, 3]`); None: after any.

    Raises ProfileError where the notes say something else than numbers of its layers.
    """
    said = layers.notes.get("narrow")
    if said is None:
        return None
    last = len(layers.stages) - 2
    wrong = not isinstance(said, list) or any(
        isinstance(each, bool) or not isinstance(each, int) or not 0 <= each <= last
        for each in said)
    if wrong:
        raise ProfileError(f"notes.narrow: numbers of layers from 0 to {last}, got {shown(said)}")
    return tuple(sorted(set(said)))


def layers_by_letter(stages: Sequence[str], costs: Mapping[str, LayerCosts]) -> Profile:
    """The layers of a layout, a stage of the result each, from what each letter costs.

    Raises ProfileError for letters without costs.
    """
    letters = "".join(stages)
    unknown = sorted(set(letters) - set(costs))
    if unknown:
        raise ProfileError(f"of the layout's letters {', '.join(unknown)} has no costs; give "
                           + ", ".join(f"{each} = {{ forward_s = 1.0, backward_s = 2.0 }}"
                                       for each in unknown))
    strange = sorted(set(costs) - set(letters))
    if strange:
        raise ProfileError(f"{', '.join(strange)}: the layout has no such layer")
    each = [costs[letter] for letter in letters]
    return Profile.model_validate(FORMAT | {
        "stages": [StageProfile(**layer.model_dump(exclude={"output_bytes"})) for layer in each],
        "boundary_bytes": tuple(layer.output_bytes for layer in each[:-1])})


def cut(layers: Profile, counts: Sequence[int]) -> Profile:
    """The profile of stages that have `counts` consecutive layers each, none in an empty one.

    Seconds, weights and activations add up; of what is needed on top while an instruction runs a
    stage needs its worst layer's; a boundary sends what the layer before it does.  [choice] A
    layer that does not say one of these, where others do, has none of it.
    Raises ProfileError where the layers do not go into the stages.
    """
    if sum(counts) != len(layers.stages):
        raise ProfileError(f"it has {len(layers.stages)} layers, the layout {sum(counts)}")
    for name in ONE_DEVICE:
        if getattr(layers, name):
            raise ProfileError(f"{name}: is of stages on their devices; layers have none yet")
    if any(each.contention_factor is not None for each in layers.stages):
        raise ProfileError("contention_factor: is of stages on their devices; layers have none yet")
    ends = list(accumulate(counts))
    sends = [_sent(layers, end) for end in ends[:-1]]
    try:
        stages = [_together(layers.stages[end - count:end], entry)
                  for end, count, entry in zip(ends, counts, [None, *sends], strict=True)]
    except ValidationError as errors:  # sums of layers that are each within bounds
        raise ProfileError("\n".join(
            f"{'.'.join(map(str, each['loc']))}: of a stage's layers together: {each['msg']}"
            for each in errors.errors())) from None
    known = layers.boundary_bytes is not None
    return layers.model_copy(update={
        "stages": tuple(stages),
        "boundary_bytes": tuple(sent or 0.0 for sent in sends) if known else None,
        "notes": {name: note for name, note in layers.notes.items() if name != "narrow"},
        "transfers": tuple(way.model_copy(update={"boundary": boundary})
                           for boundary, end in enumerate(ends[:-1])
                           for way in layers.transfers if way.boundary == end - 1)})


def _sent(layers: Profile, end: int) -> float | None:
    """Bytes that layer `end - 1` sends to the next; None where it is not known, or no layer."""
    sizes = layers.boundary_bytes
    return sizes[end - 1] if sizes is not None and 0 < end <= len(sizes) else None


def _together(layers: Sequence[StageProfile], entry: float | None) -> StageProfile:
    """A stage of these layers, which gets `entry` bytes from the one before it (None: unknown)."""
    whole: dict[str, Any] = {
        **{name: _total(layers, name, [0.0] * len(layers)) for name in ALL_LAYERS},
        **{name: _by_op(layers, name) for name in BY_OP}}
    return StageProfile(
        forward_s=sum(each.forward_s for each in layers),
        backward_s=sum(each.backward_s for each in layers),
        input_backward_s=_halves(layers, "input_backward_s"),
        weight_backward_s=_halves(layers, "weight_backward_s"),
        recompute_s=_total(layers, "recompute_s", [each.forward_s for each in layers]),
        update_s=sum(each.update_s for each in layers),
        input_bytes=layers[0].input_bytes if layers and entry is None else entry,
        workspace_bytes=max((each.workspace_bytes for each in layers
                             if each.workspace_bytes is not None), default=None),
        rise_bytes={op: max(each.rise_bytes.get(op, 0.0) for each in layers)
                    for op in _ops(each.rise_bytes for each in layers)},
        **whole)


def _halves(layers: Sequence[StageProfile], name: str) -> float | None:
    """Seconds of one half of the backwards, half of it for a layer that does not say."""
    return _total(layers, name, [each.backward_s / 2 for each in layers])


def _total(layers: Sequence[StageProfile], name: str, otherwise: Sequence[float]) -> float | None:
    """The sum of what layers say, else of `otherwise`; None where none of them says it."""
    values = [getattr(each, name) for each in layers]
    if all(value is None for value in values):
        return None
    return sum(other if value is None else value
               for value, other in zip(values, otherwise, strict=True))


def _by_op(layers: Sequence[StageProfile], name: str) -> dict[str, float]:
    """The sums of what layers say by operation, 0 where one does not."""
    return {op: sum(getattr(each, name).get(op, 0.0) for each in layers)
            for op in _ops(getattr(each, name) for each in layers)}


def _ops(tables: Iterable[Mapping[str, float]]) -> list[str]:
    return sorted({op for table in tables for op in table})
