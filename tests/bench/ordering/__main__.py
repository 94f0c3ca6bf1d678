"""`python -m tests.bench.ordering`: orders searched for on fifty random instances, as a table.

It is `measured.csv` beside this file that is written, unless a path is given.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import track

from tests.bench.ordering.instances import INSTANCES
from tests.bench.ordering.outcome import ROUNDS, TABLE, outcome, summary, written


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rounds", type=int, default=ROUNDS, help="moves for each")
    asked.add_argument("--instances", type=int, default=INSTANCES)
    asked.add_argument("--out", type=Path, default=TABLE)
    options = asked.parse_args()
    found = [outcome(seed, options.rounds) for seed in track(
        range(options.instances), "searching", console=Console(file=sys.stderr))]
    written(found, options.out)
    print(summary(found))


if __name__ == "__main__":
    main()
