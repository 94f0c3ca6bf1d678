"""Programs in our text form and in PyTorch's CSV."""

from __future__ import annotations

from functools import cache
from random import Random

from sim.experiment.configuration import resolve
from sim.experiment.setup import generate
from sim.order.text import rendering as own_form
from sim.order.torch_csv import rendering
from tests.fuzz.case import Case
from tests.fuzz.mutate import damaged_bytes, damaged_lines, damaged_text, extreme, written

SHAPES = (("round-robin", 2, 3, 1), ("gpipe", 3, 2, 2), ("1f1b", 2, 2, 4), ("nf1b", 2, 2, 2),
          ("split", 2, 1, 2), ("interleaved", 4, 1, 2))
BY_HAND = ("0F0,0F1,0B0,0B1\n1F0,1B0,1F1,1B1\n", "0F0,0I0,0W0\n1F0,1I0,1W0\n",
           "# pipestale program: stages=2 minibatches=1\n0F0,0B0\n1F0,1B0\n",
           "0F0,0SEND_F0,0RECV_B0,0B0\n"
           "1RECV_F0,1F0,1B0,1SEND_B0\n", "0F0,0F1,,0B0,0B1\n,1F0,(0F0;1B0)OVERLAP_F_B,1F1,1B1\n",
           "0F0;0F1;0B0;0B1\n1F0;1B0;1F1;1B1\n", "\ufeff0F0\t0B0\tNone\n1F0\t1B0\n",
           "0F0,0F1,1F2,1B2,1F3,1B3,0B0,0B1\n1F0,1B0,0F2,1F1,1B1,0F3,0B2,0B3\n",
           "0F0,0B0,0W0\n1F0,1BW0\n", "0Fd0 1Fu0 1Bu0 0Bd0\n0Fu0 1Fd0 1Bd0 0Bu0\n",
           "0F0,0F1,0B0,0B1,0U0-1,0F2,0B2,0U2\n", "0F0,0F1,(0F2;0B0),0B1,0B2\n",
           "0F0,0B0,0U0\n0F1,0B1,0U1\n1F0,1B0,1U0,1F1,1B1,1U1\n")


def program(rng: Random) -> Case:
    """A program, seldom sound, that is run or drawn."""
    text = rng.choice((*_sound(), *BY_HAND))
    drawn = rng.random()
    if drawn < 0.35:
        content = _cells(text, rng).encode()
    elif drawn < 0.6:
        content = damaged_lines(text, rng).encode()
    elif drawn < 0.85:
        content = rng.choice((damaged_text(text, rng), damaged_bytes(text.encode(), rng)))
    else:
        content = text.encode()
    name = rng.choice(("p.txt", "p.csv"))
    command = rng.choice((("run",), ("run",), ("run", "--engine", "simpy"), ("timeline",),
                          ("compare", "--mitigations", "none,stash")))
    json = ("--json",) if rng.random() < 0.7 else ()
    more = [part for each in rng.sample(SETTINGS, rng.randint(0, 2)) for part in ("--set", each)]
    if rng.random() < 0.1:
        more += ["--set", f"{rng.choice(KEYS)}={written(extreme(rng))}".replace("\x00", " ")]
    return Case("sim", (*command, "--program", name, "--set", "batch_size=4", "--set", "width=2",
                        *more, *json), {name: content})


SETTINGS = ("task=none", "mitigation=stash", "mitigation=spectrain", "latency_s=0.5",
            "backward=recompute", "minibatches=2", "task=quadratic", "distances=false",
            "jitter.sigma=0.1", "activation_limit_bytes=100", "dispatch=greedy", "receives=holding",
            "sends=rendezvous", "receives=in-order", "overlapped_s=1.5", "workers.copies=apart",
            "workers.count=2", "microbatch_scale=[1,2]")
KEYS = ("minibatches", "stages", "microbatches", "schedule", "chunks", "forward_s", "workers.count")


@cache
def _sound() -> tuple[str, ...]:
    """Programs of every schedule, in our form and, where they flush, in PyTorch's."""
    found = []
    for schedule, stages, minibatches, microbatches in SHAPES:
        made = generate(resolve({
            "pipeline": {"schedule": schedule, "stages": stages, "minibatches": minibatches,
                         "microbatches": microbatches,
                         "chunks": 2 if schedule == "interleaved" else 1},
            "training": {"task": "none", "batch_size": 4}}))
        found.append(own_form.render(made))
        if minibatches == 1:
            found.append(rendering.render(made))
    return tuple(found)


def _cells(text: str, rng: Random) -> str:
    """A program with cells dropped, doubled, swapped or replaced."""
    lines = [line.split(",") for line in text.splitlines()]
    for _ in range(rng.randint(1, 3)):
        line = rng.choice(lines)
        place, other = rng.randrange(len(line)), rng.randrange(len(line))
        deed = rng.randrange(5)
        if deed == 0 and len(line) > 1:
            del line[place]
        elif deed == 1:
            line.insert(other, line[place])
        elif deed == 2:
            line[place], line[other] = line[other], line[place]
        elif deed == 3:
            line[place] = rng.choice(("", "0F9", "9F0", "0X0", "0F", "F0", "0F-1", "0F1e3", "π",
                                      "0F99999999999999999999", "0U0", "0W0", "0RECV_F0",
                                      "0SEND_F0", "(0F0;0B0)OVERLAP_F_B", "()OVERLAP_F_B", "0F0-9",
                                      "0F0-999999999999", "0REDUCE_GRAD", "0UNSHARD", '"0F0"',
                                      "0Fd0", "0Bu1", "0BW0", "(0F1;0B0)", "None", "0F0;0B0"))
        else:
            line[place] = line[place].replace("0", written(rng.choice((1, 2, 10**6, 10**19))))
    return "\n".join(map(",".join, lines)) + "\n"
