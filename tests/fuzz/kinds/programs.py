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
           "1RECV_F0,1F0,1B0,1SEND_B0\n", "0F0,0F1,,0B0,0B1\n,1F0,(0F0;1B0)OVERLAP_F_B,1F1,1B1\n")


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
    command = rng.choice((("run",), ("run",), ("run", "--engine", "simpy"), ("timeline",)))
    json = ("--json",) if rng.random() < 0.7 else ()
    more = [part for each in rng.sample(SETTINGS, rng.randint(0, 2)) for part in ("--set", each)]
    if rng.random() < 0.1:
        more += ["--set", f"{rng.choice(KEYS)}={written(extreme(rng))}".replace("\x00", " ")]
    return Case("sim", (*command, "--program", name, "--set", "batch_size=4", "--set", "width=2",
                        *more, *json), {name: content})


SETTINGS = ("task=none", "mitigation=stash", "mitigation=spectrain", "latency_s=0.5",
            "backward=recompute", "minibatches=2", "task=quadratic", "distances=false",
            "jitter.sigma=0.1", "activation_limit_bytes=100", "dispatch=greedy")
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
                                      "0F0-999999999999", "0REDUCE_GRAD", "0UNSHARD", '"0F0"'))
        else:
            line[place] = line[place].replace("0", written(rng.choice((1, 2, 10**6, 10**19))))
    return "\n".join(map(",".join, lines)) + "\n"
