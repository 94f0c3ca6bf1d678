"""Bars say how far work is and how long it still takes, on a terminal and nowhere else."""

import io
import re
from time import sleep

import pytest
from rich.console import Console

from sim.commands import bars, clock
from sim.commands.clock import Clock, about, expected, read_traces, tried_s
from sim.experiment.configuration import read_experiment
from sim.experiment.run import run


@pytest.fixture
def shown(monkeypatch):
    """What bars write on a terminal of 80 columns, on which they show at once."""
    file = io.StringIO()
    terminal = Console(file=file, force_terminal=True, width=80, color_system=None)
    monkeypatch.setattr(clock, "screen", lambda: terminal)
    monkeypatch.setattr(bars, "screen", lambda: terminal)
    monkeypatch.setattr(clock, "SOON_S", 0.01)
    return lambda: re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue())


class Machine:
    """A machine on which a run takes 2 s to begin and 0.5 s for every mini-batch."""

    def __init__(self):
        self.now, self.asked = 0.0, []

    def run(self, experiment, training, engine, in_all):
        self.asked.append(experiment.pipeline.minibatches)
        self.now += 2.0 + 0.5 * experiment.pipeline.minibatches


@pytest.mark.parametrize(("seconds", "says"), [
    (0.2, "nearly done"), (0.6, "about 1 s left"), (89, "about 89 s left"),
    (91, "about 2 min left"), (3600, "about 60 min left")])
def test_what_is_left_is_said_in_seconds_then_in_minutes(seconds, says):
    assert about(seconds) == says


def test_a_clock_goes_by_its_steps_where_it_has_them():
    by_steps, by_clock = Clock(None, steps=200, done=50), Clock(40.0)
    assert (by_steps.share(3.0), by_steps.left(3.0)) == (0.25, "about 9 s left")
    assert (by_clock.share(10.0), by_clock.left(10.0)) == (0.25, "about 30 s left")
    assert (by_clock.share(50.0), by_clock.left(50.0)) == (0.99, "longer than expected")
    assert (Clock(None).share(5.0), Clock(None).left(5.0)) == (None, "")
    assert Clock(None, steps=7).left(5.0) == ""


def test_a_run_is_estimated_by_short_ones_of_it(monkeypatch):
    machine = Machine()
    monkeypatch.setattr("sim.experiment.run.run", machine.run)
    monkeypatch.setattr(clock, "perf_counter", lambda: machine.now)
    whole = read_experiment(None, ["minibatches=800"])
    assert tried_s(whole, 10**6) == 2.0 + 0.5 * 800
    assert machine.asked == [20, 1, 20]
    assert tried_s(read_experiment(None, ["minibatches=60"]), 10**6) is None


def test_what_is_made_of_a_trace_is_estimated_by_how_long_reading_it_took(
        tmp_path, monkeypatch, shown):
    run(read_experiment(None, ["minibatches=9", "task=none"])).save(tmp_path / "t.npz")
    clocks = []
    monkeypatch.setattr(clock, "Clock", lambda seconds: clocks.append(Clock(seconds)) or clocks[0])
    with read_traces("making a report", [tmp_path / "t.npz"] * 2, 1e4) as traces:
        assert [len(each) for each in traces] == [81, 81]
        assert clocks[0].seconds > 1.0
        sleep(0.3)
    assert re.search(r"making a report .* about \d+ (s|min) left", shown())


def test_a_bar_shows_on_a_terminal_once_work_takes_long(shown, monkeypatch):
    with expected("quick", 9.0):
        pass
    assert "quick" not in shown()
    with expected("looking", 9.0) as say:
        sleep(0.15)
        say("counting")
        sleep(0.25)
    assert "looking" in shown()
    assert re.search(r"counting .* 0:00:00 about 9 s left", shown())


def test_where_there_is_no_terminal_nothing_is_shown_or_tried(monkeypatch, capsys):
    monkeypatch.setattr(clock, "SOON_S", 0.0)
    monkeypatch.setattr(bars, "SOON_S", 0.0)
    monkeypatch.setattr(bars, "tried_s", lambda *_: pytest.fail("tried"))
    with bars.running(read_experiment(None)) as watch, expected("looking", 1.0):
        watch(0, 1, None)
        sleep(0.05)
    assert capsys.readouterr() == ("", "")


def test_the_updates_of_a_run_are_counted(shown, monkeypatch):
    monkeypatch.setattr(bars, "SOON_S", 0.0)
    clocks = []
    monkeypatch.setattr(bars, "Clock", lambda seconds: clocks.append(Clock(seconds)) or clocks[0])
    experiment = read_experiment(None, ["minibatches=400", "width=4"])
    with bars.running(experiment) as watch:
        assert clocks[0].seconds > 0  # by short runs of it
        run(experiment, watch=watch)
        sleep(0.15)
    assert (clocks[0].done, clocks[0].steps) == (1200, 1200)
    assert "training" in shown()


def test_a_short_run_has_no_bar(shown):
    with bars.running(read_experiment(None)) as watch:
        assert watch is None
    assert shown() == ""
