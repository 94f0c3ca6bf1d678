"""Options of the torch backend that nothing can run with: refused before any work."""

from __future__ import annotations

from random import Random

from tests.fuzz.case import Case
from tests.fuzz.mutate import extreme, misspelt, written

SENSIBLE = {"--model": ("narrow",), "--devices": ("cpu,cpu",), "--image-size": ("8", "16"),
            "--graphs": ("off", "auto"), "--set": ("minibatches=2", "batch_size=4")}
COMMANDS: dict[str, dict[str, tuple[str, ...]]] = {
    "run": {**SENSIBLE, "--classes": ("2",), "--dtype": ("float64",), "--threads": ("1",)},
    "profile": SENSIBLE,
    "validate": {**SENSIBLE, "--repeats": ("1",)},
    "staleness": {"--devices": ("cpu,cpu",)}, "tutorial": {"--devices": ("cpu,cpu",)},
    "measure": {"--devices": ("cpu,cpu",)}}
POISON: dict[str, tuple[tuple[str, ...], ...]] = {
    "run": (("--threads", "99999999999999"), ("--classes", "1000000000"), ("--classes", "1"),
            ("--dtype", "float16"), ("--loss", "x"), ("--optimizer", "sgdd"),
            ("--set", "batch_size=1")),
    "validate": (("--image-sizes", "7"), ("--batch-sizes", "x"), ("--grid", "nobody"),
                 ("--repeats", "0"), ("--within", "0"), ("--within", "nan"), ("--image-sizes", "")),
    "staleness": (("--mitigations", ""), ("--noise", "nan"), ("--seeds", "0")),
    "profile": (), "tutorial": (("--seeds", "x"),), "measure": (("--program", "p.txt"),)}
ANYWHERE = (("--devices", "cuda:0/300000000"), ("--devices", "tpu"), ("--devices", ""),
            ("--devices", "cpu,,cpu"), ("--devices", "cuda:0/0"), ("--devices", "cuda:99999999999"),
            ("--devices", "cpu:0"), ("--nonsense",), ("surplus", "surplus", "surplus"))
OF_STAGES = (("--image-size", "1000000"), ("--image-size", "7"), ("--model", "resnet51"),
             ("--set", "stages=0"), ("--set", "schedule=nobody"), ("--set", "workers.count=2"),
             ("--program", "nowhere.txt"), ("--graphs", "maybe"), ("--set", "microbatches=3"))


def backend(rng: Random) -> Case:
    """A command of the backend with one option that it has to refuse, among others."""
    command, known = rng.choice(list(COMMANDS.items()))
    given = [part for name in rng.sample(list(known), rng.randint(0, min(2, len(known))))
             for part in (name, rng.choice(known[name]))]
    poison = [*POISON[command], *ANYWHERE]
    if "--model" in known:
        poison += OF_STAGES
    given += rng.choice(poison)
    if rng.random() < 0.3:
        name = rng.choice([each for each in known if each != "--set"])
        given = [misspelt(name, rng), "x", *given] if rng.random() < 0.5 else \
            [f"{name}={written(extreme(rng))[:300]}".replace("\x00", " "), *given]
    return Case("gpu", (command, *given), refused=True)
