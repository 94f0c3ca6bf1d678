"""ZB-H2: more forwards ahead, so that at equal halves no device idles; twice 1F1B's memory."""

from collections.abc import Iterator

from sim.order.authoring import Part, flushed, forwards, input_halves
from sim.order.shape import PipelineShape
from sim.schedules import schedule
from sim.schedules.zero_bubble import put_off


@schedule("zb-h2", rule="2(S-k)-1 forwards ahead; then an input half, the oldest weight half once "
                        "more than 2k wait, and a forward; flush",
          source="Qi et al. 2023 (Zero Bubble), ZB-H2")
def zb_h2(device: int, shape: PipelineShape) -> Iterator[Part]:
    """What a device does under ZB-H2; with three stages and one mini-batch of micro-batches A to E,
    F, I and W taking a slot each:

        device 0: FA FB FC FD FE IA WA IB WB IC WC ID WD IE WE .  .
        device 1: .  FA FB FC IA FD IB FE IC WA ID WB IE WC WD WE .
        device 2: .  .  FA IA FB IB FC IC FD ID FE IE WA WB WC WD WE

    From its own first to last pass a device idles (S-1)·max(0, f+i-2w, i-f) of M >= 2S-1 micro-
    batches with f, i, w seconds of F, I, W, and holds the activations of 2S-1 at most.  Of fewer
    micro-batches the order is the same, cut short.
    """
    def once(n: int) -> Iterator[Part]:
        yield put_off(forwards(device, range(n)), input_halves(device, range(n)),
                      ahead=2 * (shape.stages - device) - 1, pending=2 * device)

    yield from flushed(once, shape)
