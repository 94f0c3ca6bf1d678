"""What devices have in common: the hardware under them, and the interpreters that ask for work."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.arrays import Floats
from sim.op import Op, among
from sim.order.program import Program
from sim.times.costs import quantize
from sim.times.profile import Profile

Kind = tuple[int, int]  # operation and stage


@dataclass(frozen=True)
class Hosts:
    """The threads that ask devices for their work, one a device.

    `interpreter` names by stage the interpreter its thread is of, `lock_share` is the share of
    asking that holds that interpreter's lock.  `issue_s` are the seconds it takes to ask for an
    instruction of one micro-batch if no other thread does, shape (operations, stages).
    """

    interpreter: tuple[str, ...]
    lock_share: float
    issue_s: Floats

    def seconds(self, program: Program) -> Floats:
        """Seconds to ask for each row if nobody else asks, shape (rows,).

        A backward of several micro-batches takes that many times as long.
        """
        op, stage, _, count = program.rows
        covered = np.where(among(op, (Op.B, Op.I, Op.W)), count, 1)
        return quantize(self.issue_s[op, stage] * covered)


@dataclass(frozen=True)
class SharedMachine:
    """What makes an instruction take longer than alone.

    `hardware` names what each stage runs on, and `factor` says by pairs of operation and stage how
    many times as long the first takes while the second runs there (1 where it says nothing).
    `hosts` is None where they are not told apart from devices.
    """

    hardware: tuple[str, ...]
    factor: dict[tuple[Kind, Kind], float]
    hosts: Hosts | None

    @classmethod
    def of(cls, profile: Profile) -> SharedMachine | None:
        """What a profile says is shared; None where every instruction has seconds of its own."""
        hardware, hosts = profile.placement or (), _hosts(profile)
        factor = {((Op[pair.op].value, pair.stage), (Op[pair.beside_op].value, pair.beside_stage)):
                  pair.factor for pair in profile.beside}
        if len(set(hardware)) == len(hardware):  # one each, or not known
            hardware, factor = tuple(map(str, range(len(profile.stages)))), {}
        return cls(hardware, factor, hosts) if factor or hosts else None

    def slowdown(self, kind: Kind, beside: list[Kind]) -> float:
        """How many times as long an instruction takes while some others run on its hardware.

        [choice] What each of them adds, alone with it, adds up; where neighbours make it faster,
        several do so no more than the best of them.
        """
        factors = [self.factor.get((kind, other), 1.0) for other in beside]
        return max(1.0 + sum(each - 1.0 for each in factors), min(factors, default=1.0))


def _hosts(profile: Profile) -> Hosts | None:
    """The hosts of a profile that names their interpreters and what asking takes."""
    if profile.interpreter is None or not any(stage.issue_s for stage in profile.stages):
        return None
    issue = np.zeros((len(Op), len(profile.stages)))
    for k, stage in enumerate(profile.stages):
        for op, seconds in stage.issue_s.items():
            issue[Op[op], k] = seconds
    return Hosts(profile.interpreter, profile.lock_share, issue)
