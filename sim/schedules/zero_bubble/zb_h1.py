"""ZB-H1: 1F1B whose weight halves are put off into the bubble, at the memory of 1F1B."""

from collections.abc import Iterator

from sim.order.authoring import Part, flushed, forwards, input_halves
from sim.order.shape import PipelineShape
from sim.schedules import schedule
from sim.schedules.zero_bubble import put_off


@schedule("zb-h1", rule="S-k forwards ahead; then an input half, the oldest weight half once more "
                        "than k wait, and a forward; flush",
          source="Qi et al. 2023 (Zero Bubble), ZB-H1; with one chunk PyTorch's "
                 "ScheduleInterleavedZeroBubble")
def zb_h1(device: int, shape: PipelineShape) -> Iterator[Part]:
    """What a device does under ZB-H1; with three stages and one mini-batch of micro-batches A B C
    D, F, I and W taking a slot each:

        device 0: FA FB FC .  .  IA WA FD IB WB IC WC ID WD
        device 1: .  FA FB .  IA FC IB WA FD IC WB ID WC WD
        device 2: .  .  FA IA FB IB FC IC WA FD ID WB WC WD

    With M micro-batches and f, i, w seconds of F, I, W a device idles (S-1)·max(f+i-w, f, i) of the
    run where M >= S, and holds the activations of S micro-batches at most, on every device.
    """
    def once(n: int) -> Iterator[Part]:
        yield put_off(forwards(device, range(n)), input_halves(device, range(n)),
                      ahead=shape.stages - device, pending=device)

    yield from flushed(once, shape)
