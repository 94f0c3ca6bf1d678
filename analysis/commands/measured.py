"""`python -m analysis measured`: a profiler's traces as a run of ours, and as a profile."""

from __future__ import annotations

from pathlib import Path

import click

from analysis.commands.mapped import mapping_option, told
from sim.commands.outputs import OUT_FILE
from sim.errors import MistakeError


@click.command()
@click.argument("traces", nargs=-1, required=True, type=click.Path(path_type=Path))
@mapping_option
@click.option("--out", type=OUT_FILE, metavar="RUN.npz", help="Write the run's trace.")
@click.option("--profile", type=OUT_FILE, metavar="PROFILE.json",
              help="Write what its stages take, for costs.profile.")
def measured(traces: tuple[Path, ...], mapping: Path | None, out: Path | None,
             profile: Path | None) -> None:
    """A profiler's Chrome traces of one run, as a trace and as a profile of its stages.

    TRACES are .json or .json.gz, one of each rank where they are several, or a folder of them.
    """
    _refuse_nothing(out, profile)
    from analysis.measured.events import files_of
    from analysis.measured.mapping import read_mapping
    from analysis.measured.profile import profile_of
    from analysis.measured.reading import measured as run_of
    from sim.times.profile import write_profile

    trace = run_of([file for path in traces for file in files_of(path)],
                   None if mapping is None else read_mapping(mapping))
    click.echo(told(trace) or "a run of ours, as it was exported", err=True)
    if out is not None:
        trace.save(out)
        click.echo(f"{out} written")
    if profile is not None:
        write_profile(profile_of(trace), profile)
        click.echo(f"{profile} written")


def _refuse_nothing(*wanted: Path | None) -> None:
    if not any(wanted):
        raise MistakeError("nothing to write: give --out RUN.npz, --profile PROFILE.json or both")
