"""How a program's own messages are received and sent.

Of a message posted ahead the pass waits, not its RECV, which takes no time.  In order, what one
device receives from another is there in the order of its RECVs: a stream beside the devices serves
them one after the other.  A SEND under rendezvous starts once its RECV is reached, that is once
what comes before that on its device has ended.
"""

from __future__ import annotations

import numpy as np

from sim.arrays import Ints
from sim.order.needs import receivers
from sim.order.program import Program
from sim.times.expanded.draft import Draft


def post(draft: Draft) -> None:
    """Let passes wait for what their RECVs receive."""
    passes = receivers(draft.program)
    sent = np.flatnonzero(draft.hears >= 0)
    draft.hears[sent] = passes[draft.hears[sent]]
    draft.to[sent] = draft.at[draft.hears[sent]]


def serve_in_order(draft: Draft) -> None:
    """Let passes wait for what their RECVs receive, and for all that was to come before it.

    [choice] The order is that of the RECVs of one device from one other.
    """
    messages, program = draft.program.messages, draft.program
    passes, received = receivers(program), program.messages.target
    for link in range(len(messages.links)):
        sent = np.flatnonzero(messages.link == link)
        sent = sent[np.argsort(received[sent])]
        served = draft.stream(draft.of_program(received[sent]), np.zeros(len(sent)))
        draft.hears[sent], draft.to[sent] = passes[received[sent]], served
        draft.wait(served, draft.at[draft.hears[sent]])
    draft.served = True


def rendezvous(draft: Draft) -> None:
    """Let every SEND wait until its RECV is reached."""
    program = draft.program
    sent = np.flatnonzero(program.messages.link >= 0)
    received = program.messages.target[sent]
    reached = ~np.isin(received, _firsts(program))
    draft.wait(draft.ends[received[reached] - 1], draft.at[sent[reached]])


def _firsts(program: Program) -> Ints:
    return np.array(program.offsets[:-1])
