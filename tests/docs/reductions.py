"""What the documents' commands become in a test: all is here to be seen, by how a command begins.

`make test` runs every command, the long ones as `quick` says; `make verify` runs them as they
stand, or as `full` says where they need what no test machine has.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """How commands that begin with `prefix` are run; the longest prefix counts.

    `quick` and `full` are options put behind the command; where one of them stands already it is
    replaced.  None: the command is not run then, but its name and options are checked by `--help`.
    """

    prefix: str
    why: str
    quick: str | None = None
    full: str | None = ""


RULES = (
    Rule("python -m sim compare figures/experiments/systems.toml --systems all",
         "22 systems of 800 mini-batches take a minute",
         "--systems gpipe,hetpipe --seeds 1 --set minibatches=40"),
    Rule("python -m analysis schedule", "ten seconds of search", "--rounds 60"),
    Rule("python -m analysis advise", "thousands of orders", "--microbatches 2 --backward graph"),
    Rule("python -m analysis drift", "four policies and three seeds",
         "--seeds 1 --policies static,recut --set minibatches=30"),
    Rule("python -m figures timeline memory", "ten seconds; --from draws in make test", None),
    *(Rule(f"python -m figures {words}", "seconds each; tests/figures has a test of each picture, "
           "and one of each example", None)
      for words in ("timeline run.npz --minibatch 7 --width", "timeline staleness memory learning",
                    "timeline --set", "learning run.npz other.npz", "validation",
                    "timeline figures/experiments")),
    *(Rule(f"python -m figures timeline {words}", "a second less", "--format svg")
      for words in ("order.csv", "run.npz --minibatch 7 --out", "--from")),
    Rule("python -m figures sweep", "wants the table of sim/README's sweep; tests/figures draws "
         "sweeps", None, None),
    *(Rule(f"python -m sim compare figures/experiments/{name}.toml",
           "tests/figures runs every example", None)
      for name in ("plan-without-gpus", "compare-mitigations")),
    Rule("python -m gpu validate figures/experiments/validate-two-gpus.toml", "wants two GPUs",
         None, None),
    Rule("python -m figures systems", "some minutes; the gallery's tests cover it", None, None),
    Rule("python -m figures rates", "some minutes; the gallery's tests cover it", None, None),
    Rule("python -m figures uneven", "some minutes; the gallery's tests cover it", None, None),
    Rule("python -m figures bench", "draws bench.json, which make bench wrote", None, None),
    *(Rule(f"python -m {tool}", "make test runs it", None, None)
      for tool in ("pytest", "ruff", "mypy", "tests.docs")),
    Rule("python -m tests.bench.explorer", "starts a browser; tests/figures has such tests", None,
         None),
    Rule("python -m tests.bench.ordering", "some minutes; tests/analysis/ordering searches less",
         None, "--instances 2 --rounds 2000 --out orders.csv"),
    Rule("python -m gpu profile", "seconds of a real network; tests/gpu runs it", None),
    Rule("python -m gpu tensor", "starts two processes that import torch; tests/gpu runs it", None),
    Rule("python -m gpu run", "torch takes seconds to import; tests/gpu runs it", None),
    Rule("python -m gpu validate", "a minute and more", None,
         "--grid none,none@gpipe/2 --repeats 1 --set minibatches=6"),
    Rule("python -m gpu staleness", "minutes", None,
         "--set minibatches=8 --seeds 1 --mitigations none,spectrain --no-timing"),
    Rule("python -m gpu tutorial", "minutes", None,
         "--image-size 32 --batch-size 12 --splits 6 --repeats 1 --epochs 1 --seeds 1"),
    Rule("python -m gpu measure", "up to nine minutes; tests/gpu runs it in parts", None, None),
    Rule("torchrun", "two processes that import torch", None),
    Rule("torchrun --nproc-per-node 2 -m tests.bench.pipelining", "make bench runs it", None,
         None),
    Rule("torchrun --nproc-per-node 4 -m tests.bench.pipelining", "wants four GPUs", None, None),
    Rule("python -m sim run --set stages=2 --set task=none --set 'costs.profile",
         "wants the profile that gpu profile measured", None),
    Rule("python -m analysis report gpu.npz", "wants the trace of gpu run", None),
)


def rule_of(command: str) -> Rule:
    """The rule of the longest prefix; without one a command runs as it stands."""
    found = [rule for rule in RULES if command.startswith(rule.prefix)]
    return max(found, key=lambda rule: len(rule.prefix), default=Rule("", "", "", ""))
