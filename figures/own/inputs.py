"""What pictures of one's own are drawn from: traces and experiments, read and checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from analysis.comparison.systems import EVALUATIONS
from figures.catalogue import FIGURES, LOCAL
from figures.own.catalogue import FOLDERS, NAMES
from figures.traces.wanted import Run, Wanted
from sim.commands.asked import asked
from sim.commands.bars import running
from sim.errors import ConfigurationError, InputError
from sim.experiment.checks import FILE
from sim.experiment.configuration import resolve
from sim.experiment.options import Experiment
from sim.experiment.run import run
from sim.files.reading import opened, text_of
from sim.order.program import Program
from sim.order.torch_csv.reading import is_torch_csv
from sim.trace import Trace
from sim.wording import readable

TRACE, EXPERIMENT, TABLE, REPORT = ".npz", ".toml", ".csv", "report.json"
FORMS = ("a trace is .npz, an experiment .toml, a program .csv as PyTorch writes it (any other to "
         "--program), a figure's data .csv, a validation the folder that gpu validate wrote")


@dataclass(frozen=True)
class Source:
    """Where a run comes from: a trace that was read, or an experiment that is still to be run."""

    name: str
    trace: Trace | None = None
    experiment: Experiment | None = None
    program: Program | None = None

    def run(self, training: bool, evaluated: bool = False) -> Run:
        """The run to draw; an experiment is run now, trained where `training`.

        Where it is to be `evaluated` on the way and does not say how often, it is as often as a
        comparison of systems does it; that changes no weight.
        """
        if self.trace is not None:
            return Run(self.name, self.trace, self.experiment, self.program)
        assert self.experiment is not None
        training = training and self.experiment.training.task != "none"
        experiment = _evaluated(self.experiment) if training and evaluated else self.experiment
        with running(experiment, self.program, training=training) as watch:
            trace = run(experiment, self.program, watch=watch, training=training)
        name = self.name or f"{trace.header.pipeline['schedule']}, {trace.header.mitigation}"
        return Run(name, trace, experiment, self.program)

    @property
    def size(self) -> tuple[int, int]:
        """Its stages and its mini-batches."""
        if self.trace is not None:
            return self.trace.shape.stages, self.trace.shape.minibatches
        assert self.experiment is not None
        return self.experiment.pipeline.stages, self.experiment.pipeline.minibatches


def _evaluated(experiment: Experiment) -> Experiment:
    """The experiment with evaluations on the way."""
    if experiment.training.evaluate_every:
        return experiment
    every = max(1, experiment.pipeline.minibatches // EVALUATIONS)
    return experiment.changed({"training": {"evaluate_every": every}})


def sources(files: Sequence[Path], settings: tuple[str, ...], program: Path | None
            ) -> list[Source]:
    """Read the files; without any the default experiment with these settings, or this program.

    Names are the files' stems, or whole paths where two stems are equal.  Raises MistakeError.
    """
    twice = [str(path) for path, times in Counter(files).items() if times > 1]
    if twice:
        raise ConfigurationError([f"{path}: given twice" for path in twice])
    made = [path for path in files if path.suffix == EXPERIMENT]
    refused = ["--set", *settings][:2 * bool(settings)] or ["--program"] * (program is not None)
    if refused and files and not made:
        raise ConfigurationError([f"{' '.join(refused)}: goes with an experiment; "
                                  f"{', '.join(map(str, files))} is drawn as it was run"])
    if not files:
        experiment, order = asked(None, settings, program)
        return [Source(readable(program.stem) if program else "", None, experiment, order)]
    return [_source(path, name, settings, program)
            for path, name in zip(files, _names(files), strict=True)]


def _names(files: Sequence[Path]) -> list[str]:
    stems = Counter(path.stem for path in files)
    return [_literal(path.stem if stems[path.stem] == 1 else str(path)) for path in files]


def _literal(name: str) -> str:
    """A name as text in a picture, in which two dollars would begin and end mathematics."""
    return readable(name).replace("$", r"\$") if name.count("$") > 1 else readable(name)


def _source(path: Path, name: str, settings: tuple[str, ...], program: Path | None) -> Source:
    if path.suffix == TRACE:
        trace = Trace.load(path)
        return Source(name, trace, _again(trace), _order(trace))
    if path.suffix == EXPERIMENT:
        return Source(name, None, *asked(path, settings, program))
    if torch_csv(path):
        return Source(name, None, *asked(None, settings, path))
    if path.is_dir() or path.name == REPORT:
        raise ConfigurationError([f"{path}: holds no run to draw; a validation's folder is drawn "
                                  f"by python -m figures {FOLDERS}"])
    with opened(path):  # told first where it is not there at all
        raise ConfigurationError([f"{path}: {FORMS}"])


def split(words: Sequence[str]) -> tuple[list[str], list[Path]]:
    """The names of pictures and the files among what a command was given.

    The first word is a name, and so is what looks like a name misspelt and is no file.
    """
    names: list[str] = []
    files: list[Path] = []
    known = (*FIGURES, *LOCAL, *NAMES, FOLDERS, "all")
    for word in words:
        path = Path(word)
        misspelt = not path.suffix and not path.exists() and get_close_matches(word, known, 1)
        if word in known or not names or misspelt:
            names.append(word)
        else:
            files.append(path)
    return names, files


def is_rows(path: Path) -> bool:
    """Whether a file holds a picture's rows: a CSV, but none of a program."""
    return path.suffix == TABLE and not torch_csv(path)


def torch_csv(path: Path) -> bool:
    """Whether a file holds a program as PyTorch's pipelining writes it."""
    return path.suffix == TABLE and is_torch_csv(text_of(path))


def folder_of(path: Path) -> Path:
    """The folder of a validation: itself, or that of its report.

    Raises ConfigurationError where it is neither.
    """
    if path.is_dir():
        return path
    if path.name == REPORT and path.is_file():
        return path.parent
    raise ConfigurationError([f"{path}: there is no such folder" if not path.exists() else
                              f"{path}: a validation is drawn from its folder or its {REPORT}"])


def _again(trace: Trace) -> Experiment | None:
    """The experiment that gives a trace, None where this machine cannot run it again."""
    if trace.header.gpu is not None:
        return None
    try:
        return resolve(trace.header.experiment)
    except (ConfigurationError, InputError):
        return None


def _order(trace: Trace) -> Program | None:
    """The trace's own order, where no schedule makes it."""
    return trace.program() if trace.header.pipeline["schedule"] == FILE else None


def check_wanted(found: Sequence[Source], wanted: Wanted) -> None:
    """Make sure that every run has the stages and mini-batches that are wanted.

    Raises ConfigurationError with a line for each that one lacks.
    """
    problems = [line for source in found for line in _lacks(source, wanted)]
    if problems:
        raise ConfigurationError(problems)


def _lacks(source: Source, wanted: Wanted) -> Iterator[str]:
    stages, minibatches = source.size
    name = f" of {source.name}" if source.name else ""
    if wanted.stages and wanted.stages[-1] >= stages:
        yield f"--stages: those{name} are 0 to {stages - 1}, got {wanted.stages[-1]}"
    if wanted.minibatches and max(wanted.minibatches) > minibatches:
        yield (f"--minibatch: those{name} are 1 to {minibatches}, got "
               f"{max(wanted.minibatches)}")
