"""DualPipeV: DualPipe cut in half, two chunks a device in a V, forwards and backwards in pairs."""

from collections.abc import Iterator

from sim.order.authoring import Part, flushed
from sim.order.instruction import Instruction
from sim.order.shape import PipelineShape
from sim.schedules import schedule
from sim.schedules.two_ways import dual_steps
from sim.schedules.zero_bubble import two_chunks


def full_v(shape: PipelineShape) -> None:
    """Refuse other than two chunks a device, and fewer micro-batches than stages.

    Raises ValueError.
    """
    two_chunks("dualpipev", shape)
    if shape.microbatches < shape.stages:
        raise ValueError(f"dualpipev takes at least as many micro-batches as stages, got "
                         f"{shape.microbatches} for {shape.stages}")


@schedule("dualpipev", rule="DualPipe's eight steps over two chunks a device in a V: forward of "
                            "one chunk and backward of the other as pairs; flush",
          source="DeepSeek-AI 2025 (DualPipe), cut in half by Sea AI Lab; order of PyTorch's "
                 "ScheduleDualPipeV", chunks=True, refuse=full_v)
def dualpipev(device: int, shape: PipelineShape) -> Iterator[Part]:
    """What a device does under DualPipeV; with two devices (stages 0 3 | 1 2) and one mini-batch of
    micro-batches A B C D, F, I and W taking a slot each, B two and a pair three; small letters are
    the second chunk's passes:

        device 0: FA FB FC Fa Ia Wa Fb (FD;Bb)  .  (Fc;BA)  Bc    .  (Fd;BB)  Bd    IC WC ID WD
        device 1: .  FA Fa FB Fb FC Ba    (Fc;BA)  (FD;Bb)  (Fd;BB)  Bc    BC    .  Id ID Wd WD

    Unless `costs.overlapped_s` says what a pair takes, its two passes come one after the other, and
    what waits for the first need not wait for the second.

    P devices hold the activations of 2P+1 chunks at most.
    """
    stages = device, shape.stages - 1 - device

    def once(n: int) -> Iterator[Instruction | Part]:
        return dual_steps(device, shape.worker_devices, n,
                          lambda way, number: (stages[way], number))

    yield from flushed(once, shape)
