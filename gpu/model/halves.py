"""The two halves of a backward through an autograd graph: input gradient first, weights later.

Autograd forms both in one walk.  Here the input half walks only the nodes that lead to the input,
and notes the gradient that reaches every node with parameters hanging off that way; the weight half
then goes one step from each such node, to its parameters alone.  All that reads weights is in the
input half.  Nothing is walked twice, except that a node which forms both gradients in one kernel
(BatchNorm) runs it in both halves.
Source: Qi et al. 2023, zero bubble pipeline parallelism (the split); the walk is ours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge


@dataclass
class Branch:
    """A node on the way to the input, and the parameters (by number) that hang off it there.

    `reached` are the gradients of the node's outputs, in their shapes, noted by the input half.
    `entry` says that
    the input itself hangs off it.
    """

    node: Any
    parameters: list[int]
    entry: bool
    reached: Sequence[Tensor | None] = ()


def input_half(result: Tensor, inputs: Tensor, parameters: Sequence[Tensor], gradient: Tensor, *,
               wanted: bool = True) -> tuple[list[Branch], Tensor | None]:
    """The gradient of `inputs` (its shape), and what is left for the weight half.

    `gradient` is that of `result`, in its shape; `inputs` is a leaf that requires a gradient.
    Where that is not `wanted` the walk ends one step before it, and gives None for it.
    Raises ValueError where a parameter has no part in the result.
    """
    branches, outputs = branches_of(result, inputs, parameters)
    whole = wanted or not any(branch.entry for branch in branches)
    noted = [branch for branch in branches if whole or not branch.entry]
    hooks = [branch.node.register_prehook(_noting(branch)) for branch in noted]
    last = [(branch, number) for branch in branches if branch.entry and not whole
            for number in sorted(outputs[branch.node])]
    targets = [inputs] if whole else [GradientEdge(branch.node, n) for branch, n in last]
    try:
        found = torch.autograd.grad(result, targets, gradient, retain_graph=True)
    finally:
        for hook in hooks:
            hook.remove()
    if whole:
        return branches, found[0] if wanted else None
    for (branch, number), each in zip(last, found, strict=True):
        gap = [None] * (number - len(branch.reached))
        branch.reached = (*branch.reached, *gap, each)
    return branches, None


def weight_half(branches: Sequence[Branch], parameters: Sequence[Tensor]) -> list[Tensor]:
    """The gradients of all parameters, in their order and shapes, from what is left of a graph."""
    found: dict[int, Tensor] = {}
    for branch in branches:
        reached = [(n, g) for n, g in enumerate(branch.reached) if g is not None]
        own = torch.autograd.grad([GradientEdge(branch.node, n) for n, _ in reached],
                                  [parameters[i] for i in branch.parameters],
                                  [g for _, g in reached])
        for number, each in zip(branch.parameters, own, strict=True):
            found[number] = found[number] + each if number in found else each
        branch.reached = ()
    return [found[number] for number in range(len(parameters))]


def branches_of(result: Tensor, inputs: Tensor, parameters: Sequence[Tensor]
                ) -> tuple[list[Branch], dict[Any, set[int]]]:
    """The nodes between `result` and `inputs` off which parameters hang, nearest the result first.

    Tensors of any shape, connected by a graph.  Beside the nodes, by node, the numbers of its
    outputs that are used.  Raises ValueError where a
    parameter has no part in the result.
    """
    order = _towards_leaves(result.grad_fn)
    numbers = {id(parameter): number for number, parameter in enumerate(parameters)}
    leaf = {node for node in order if getattr(node, "variable", None) is inputs}
    leads, outputs = set(leaf), defaultdict(set, {result.grad_fn: {result.output_nr}})
    below: dict[Any, set[int]] = {}
    for node in reversed(order):  # leaves first
        own = numbers.get(id(getattr(node, "variable", None)))
        below[node] = set() if own is None else {own}
        for child, number in _children(node):
            outputs[child].add(number)
            if child in leads:
                leads.add(node)
            else:
                below[node] |= below[child]
    found = [Branch(node, sorted(below[node]), any(child in leaf for child, _ in _children(node)))
             for node in order if node in leads and below[node]]
    if len(set().union(*(branch.parameters for branch in found))) < len(parameters):
        raise ValueError("a parameter has no part in the stage's output")
    return found, outputs


def _noting(branch: Branch) -> Any:
    def note(gradients: Sequence[Tensor | None]) -> None:
        branch.reached = tuple(gradients)

    return note


def _children(node: Any) -> Iterator[tuple[Any, int]]:
    return ((child, number) for child, number in node.next_functions if child is not None)


def _towards_leaves(root: Any) -> list[Any]:
    """All nodes below `root`, each before those it leads to."""
    done: list[Any] = []
    seen: set[Any] = set()
    stack = [(root, False)]
    while stack:
        node, left = stack.pop()
        if left:
            done.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack += [(child, False) for child, _ in _children(node)]
    return done[::-1]
