"""Megatron-LM's interleaved 1F1B, as its training loop decides it step by step.

Source: Megatron-LM, `forward_backward_pipelining_with_interleaving`: `get_model_chunk_id`, the
number of warm-up micro-batches, then one forward and one backward in turn.
"""

from __future__ import annotations


def order(rank: int, ranks: int, chunks: int, micro_batches: int) -> list[str]:
    """Passes of one rank as the program's text; chunk c of rank r is stage c·ranks + r."""
    assert micro_batches % ranks == 0
    total = micro_batches * chunks
    warm_up = min((ranks - rank - 1) * 2 + (chunks - 1) * ranks, total)

    def chunk_of(step: int, forward: bool) -> int:
        chunk = (step % (ranks * chunks)) // ranks
        return chunk if forward else chunks - chunk - 1

    counts: dict[tuple[str, int], int] = {}

    def one(step: int, forward: bool) -> str:
        name, chunk = "F" if forward else "B", chunk_of(step, forward)
        micro = counts[name, chunk] = counts.get((name, chunk), -1) + 1
        return f"{chunk * ranks + rank}{name}{micro}"

    passes = [one(step, True) for step in range(warm_up)]
    for step in range(total - warm_up):
        passes += [one(step + warm_up, True), one(step, False)]
    return passes + [one(step, False) for step in range(total - warm_up, total)]
