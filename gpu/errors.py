"""What can go wrong in a run on real devices, one type for each thing a caller acts on."""

from __future__ import annotations

from typing import ClassVar

from sim.errors import MistakeError


class DeviceError(MistakeError, ValueError):
    """A device specification that cannot be read, or names what this machine does not have."""


class StageError(MistakeError, RuntimeError):
    """A run ended because a stage failed: the first failure, with its stage and instruction."""

    code: ClassVar[int] = 1

    def __init__(self, stage: int, instruction: str, device: str, reason: str) -> None:
        super().__init__(stage, instruction, device, reason)
        self.stage, self.instruction = stage, instruction
        self.device, self.reason = device, reason

    def __str__(self) -> str:
        return f"stage {self.stage} failed at {self.instruction} on {self.device}: {self.reason}"


class StageMemoryError(StageError):
    """A stage ran out of memory."""

    def __str__(self) -> str:
        return (f"stage {self.stage} ran out of memory at {self.instruction} on {self.device}; "
                f"use a smaller batch, more micro-batches or backward = \"recompute\" "
                f"({self.reason})")


class NonFiniteError(StageError):
    """A loss, or the weights of a stage, stopped being finite numbers."""

    def __str__(self) -> str:
        return (f"stage {self.stage} is no longer finite at {self.instruction} on "
                f"{self.device}: {self.reason}")


class RankError(MistakeError, RuntimeError):
    """A process of a distributed run was lost, killed or stopped answering."""

    code: ClassVar[int] = 1

    def __init__(self, rank: int, reason: str) -> None:
        super().__init__(rank, reason)
        self.rank, self.reason = rank, reason

    def __str__(self) -> str:
        return f"rank {self.rank} {self.reason}"


MEMORY_WORDS = ("out of memory", "can't allocate memory", "alloc_failed")


def stage_error(stage: int, instruction: str, device: str, error: BaseException) -> StageError:
    """The StageError that says what `error` means for the user, in one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    short = isinstance(error, MemoryError) or any(word in text.lower() for word in MEMORY_WORDS)
    kind = StageMemoryError if short else StageError
    named = text if short else f"{type(error).__name__}: {text}"
    return kind(stage, instruction, device, named)
