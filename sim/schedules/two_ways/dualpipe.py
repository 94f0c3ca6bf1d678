"""DualPipe: two directions at once, forwards of one and backwards of the other in pairs."""

from collections.abc import Iterator

from sim.order.authoring import Part, flushed
from sim.order.instruction import Instruction
from sim.order.shape import PipelineShape
from sim.schedules import schedule
from sim.schedules.two_ways import dual_steps


def even_and_full(shape: PipelineShape) -> None:
    """Refuse odd numbers of stages or micro-batches, and fewer of these than two a stage.

    Raises ValueError.
    """
    if shape.stages % 2 or shape.microbatches % 2 or shape.microbatches < 2 * shape.stages:
        raise ValueError("dualpipe takes an even number of stages, and of micro-batches an even "
                         f"number that is at least twice that, got {shape.stages} and "
                         f"{shape.microbatches}")


@schedule("dualpipe", rule="two copies of every stage, half of the micro-batches through each "
                           "direction: forward of one way and backward of the other as pairs; "
                           "flush", source="DeepSeek-AI 2025 (DeepSeek-V3), DualPipe",
          refuse=even_and_full, homes=2)
def dualpipe(device: int, shape: PipelineShape) -> Iterator[Part]:
    """What a device does under DualPipe; with four stages and one mini-batch of eight
    micro-batches, of which A B C D go from stage 0 on device 0 down to stage 3 on device 3, and a b
    c d from stage 0 on device 3 up to stage 3 on device 0; F, I and W taking a slot each, B two and
    a pair three:

        device 0: FA FB FC Fa Ia Wa Fb (FD;Bb)  .  (Fc;BA)  Bc    .  (Fd;BB)  Bd    IC WC ID WD
        device 1: .  FA Fa FB Fb FC Ba    (Fc;BA)  (FD;Bb)  (Fd;BB)  Bc    BC    .  Id ID Wd WD
        device 2: .  Fa FA Fb FB Fc BA    (FC;Ba)  (Fd;BB)  (FD;Bb)  BC    Bc    .  ID Id WD Wd
        device 3: Fa Fb Fc FA IA WA FB (Fd;BB)  .  (FC;Ba)  BC    .  (FD;Bb)  BD    Ic Wc Id Wd

    Unless `costs.overlapped_s` says what a pair takes, its two passes come one after the other, and
    what waits for the first need not wait for the second.

    Every device holds two stages' weights, one of each direction, and the activations of S+1 micro-
    batches at most.  Both copies of a stage have half of the micro-batches, the first half of a
    mini-batch going down.
    """
    last = shape.stages - 1
    outer = min(device, last - device)
    down = int(device != outer)  # the way that is the first direction

    def once(n: int) -> Iterator[Instruction | Part]:
        return dual_steps(outer, shape.stages // 2, n // 2, lambda way, number: (
            last - outer if way else outer, number + n // 2 * (way != down)))

    yield from flushed(once, shape)
