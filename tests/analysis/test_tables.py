"""Every table of every door on screens of 80 to 200 columns: nothing cut, nothing left out."""

import re
from functools import cache
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.advice.advise import advise
from analysis.advice.question import Question
from analysis.comparison.compare import rows as compared
from analysis.comparison.difference import difference
from analysis.comparison.systems import system_rows
from analysis.drifting.policies import policies
from analysis.drifting.problem import DriftProblem
from analysis.drifting.study import rows as policy_rows
from analysis.metrics.report import report
from analysis.sweep.tables import level
from analysis.terminal.advice_tables import advice_tables
from analysis.terminal.comparison_tables import comparison_tables
from analysis.terminal.difference_table import difference_table
from analysis.terminal.drifting.tables import drift_tables
from analysis.terminal.fitted.heads import HYPHEN, broken
from analysis.terminal.fitted.layout import Column
from analysis.terminal.fitted.page import on_screen
from analysis.terminal.fitted.table import FittedTable, names
from analysis.terminal.fitted.units import BYTES, SECONDS, aligned, by_stage, in_percent, unit_for
from analysis.terminal.profile_tables import profile_tables
from analysis.terminal.report_tables import distribution_table, report_tables
from analysis.terminal.sweep_table import sweep_tables
from analysis.terminal.system_tables import system_tables
from analysis.terminal.theory_tables import stability_table, steady_tables
from analysis.terminal.timeline_view import TimelineView
from analysis.theory.endless import endless
from analysis.theory.stability import theory
from sim.experiment.compared.contender import contenders
from sim.experiment.compared.entrant import entrants
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.times.profile import read_profile
from tests.analysis.screens import WIDTHS, shown

NUMBER = re.compile(r"\d[\d.,]*\d|\d")
SMALL = {"training": {"width": 8, "layers": 3}, "pipeline": {"minibatches": 12}}


def small(**pipeline):
    return resolve(SMALL | {"pipeline": SMALL["pipeline"] | pipeline})


def of_run():
    values = report(run(small(mitigation={"name": "i-timeprest"}, minibatches=20)))
    assert values["staleness"]["effective_backward"] != values["staleness"]["backward"]
    return report_tables(values) + distribution_table(values)


def of_interleaved():
    trace = run(resolve({"pipeline": {"schedule": "interleaved", "stages": 6, "chunks": 2,
                                      "microbatches": 4, "minibatches": 9},
                         "costs": {"forward_s": 1.25e-3, "backward_s": 2.5e-3},
                         "training": {"task": "none"}}))
    return [*report_tables(report(trace)), *TimelineView.of(trace, 4, None).tables()]


def of_nf1b():
    values = report(run(small(schedule="nf1b", microbatches=4, mitigation="timeprest")))
    values["staleness"]["distribution"] = {"forward": [  # as many as a greedy order can have
        {f"{late}": late + k for late in range(1, 40)} for k in range(3)]}
    return report_tables(values) + distribution_table(values)


def of_timeline():
    return TimelineView.of(run(small(), training=False), 4, None).tables()


def of_comparison():
    asked = contenders("none,stash,timeprest,i-timeprest:decay=0.5@nf1b/7,spectrain")
    return comparison_tables(compared(small(), asked, range(4)), small(), 4)


def of_systems():
    asked = entrants("gpipe,i-timeprest:decay=2,data-parallel-strong")
    rates = {"largest_stable_rate": 0.6816, "largest_stable_rate_recompute": 38.0}
    with patch("analysis.comparison.systems.stable_rates", return_value=rates):  # slow to measure
        rows = system_rows(small(), asked, range(4), 0.2)
    return system_tables(rows, small(), 4, 0.2)


def of_drift():
    asked = DriftProblem(small(stages=3, minibatches=20, schedule="round-robin").changed(
        layers=9, jitter={"sigma": 0.3}, bandwidth_bytes_per_s=1e4,
        trends=[{"stage": 1, "from_s": 5.0, "to_s": 9.0, "factor": 4.0}]), 4)
    rows = policy_rows(asked, policies(None), range(4))
    assert rows[3]["changes"] > 0
    return drift_tables([*rows, {"policy": "recut", "refused": "pipeline.layout: why",
                                 "paired": None}], asked, 4)


def of_stability():
    rows = theory(("stash", "spectrain-stashed"), (0, 7), (0.9,), "heavy-ball")
    assert rows[0]["edge_measured"] is None
    return [stability_table([row | {"edge_measured": 0.123456789, "relative_difference": -1e-9}
                             for row in rows])]


def of_steady():
    return steady_tables(endless(resolve({"pipeline": {"stages": 8},
                                          "cluster": {"latency_s": 0.5}})))


@cache
def advice():
    return advise(Question(Path("figures/experiments/profile.json"), 2e9, 4, microbatches=[2, 8]))


def layers_advice():
    return advise(Question(Path("figures/experiments/layers.json"), 2e9, 3, microbatches=[2],
                           backwards=["graph"]))


def of_difference():
    ours, theirs = run(small()), run(small(mitigation="spectrain"))
    long = "a/long/way/down/to/where/the/trace/of/the/first/run/lies.npz"
    return [difference_table(difference(ours, theirs), long, "spectrain.npz")]


def points(count):
    """Rows of a sweep over two keys; the last point has failed."""
    from analysis.sweep.work import flat

    values = flat(report(run(small())))
    return [{"point": number, "training.learning_rate": 0.1 / (number + 1),
             "pipeline.mitigation": {"name": "i-timeprest", "decay": 2.0}, "error": None,
             **values, "final_loss": values["final_loss"] + (7 * number) % 5}
            for number in range(count - 1)] + [
        {"point": count - 1, "training.learning_rate": 1e-9, "pipeline.mitigation": "none",
         "error": "ConfigurationError: " + "a long word " * 20}]


def of_profile():
    halves = Path("figures/measured/h100-halves/validate-resnet50-128px/profiles")
    return profile_tables(read_profile(sorted(halves.rglob("*.json"))[0]))


TABLES = {
    "profile": of_profile,
    "run": of_run, "interleaved": of_interleaved, "nf1b": of_nf1b, "timeline": of_timeline,
    "compare": of_comparison, "systems": of_systems, "stability": of_stability,
    "drift": of_drift, "steady": of_steady, "advise": lambda: advice_tables(advice(), False),
    "advise on layers": lambda: advice_tables(layers_advice(), True),
    "advise all": lambda: advice_tables(advice(), True),
    "difference": of_difference, "sweep": lambda: sweep_tables(points(6)),
    "long sweep": lambda: sweep_tables(points(60))}


@pytest.fixture(scope="module", params=TABLES)
def tables(request):
    return list(TABLES[request.param]())


def test_every_table_fits_and_has_every_number(tables):
    """What is too wide for a screen stands below; a wider screen takes no more lines."""
    whole = shown(tables, 1000)
    numbers, lines = set(NUMBER.findall(whole)), 10**6
    assert numbers
    for width in WIDTHS:
        text = shown(tables, width)
        assert not {"…", HYPHEN} & set(text)
        assert max(map(len, text.splitlines())) <= width
        assert set(NUMBER.findall(text)) == numbers
        assert len(text.splitlines()) <= lines
        lines = len(text.splitlines())


def test_units_and_words_are_those_of_the_screen(tables):
    text = shown(tables, 1000)
    assert not re.search(r"_(fraction|bytes|minibatches)|makespan_s|per_s\b", text)
    assert "-0.00" not in text


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_any_table_fits_any_screen(data):
    """Random heads and cells at random widths: no line too long, no number apart."""
    cell = st.sampled_from(["–", "0.5", "12345.678", "0.44 ± 0.01\n[0.43, 0.46]", "2→0", ""])
    head = st.sampled_from(["bubble", f"incon{HYPHEN}sistent", "mini-batches/s",
                            f"vali{HYPHEN}dation accu{HYPHEN}racy"])
    columns = [Column(data.draw(head), data.draw(st.sampled_from(["", "%", "kB"])), group=n // 3)
               for n in range(data.draw(st.integers(1, 14)))]
    table = FittedTable("title", [names("name"), *columns, Column("why", words=True, left=True)])
    for number in range(data.draw(st.integers(1, 4))):
        table.add_row(f"spectrain-{number}", *(data.draw(cell) for _ in columns),
                      "words that may be folded where the screen is narrow")
    width = data.draw(st.integers(34, 200))
    text = shown([table], width)
    assert max(map(len, text.splitlines())) <= width
    assert set(NUMBER.findall(text)) == set(NUMBER.findall(shown([table], 2000)))
    assert text.count("title") == 1


PAGES = sorted(Path("figures/measured").rglob("*/*.md"))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to("figures/measured")))
def test_a_page_of_markdown_reads_as_text_with_tables(path):
    text = path.read_text(encoding="utf-8")
    for width in WIDTHS:
        screen = shown(on_screen(text), width)
        assert max(map(len, screen.splitlines())) <= width
        assert not re.search(r"^\||^#|\*\*|\]\(|`", screen, re.MULTILINE)
        plain = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text)
        assert set(NUMBER.findall(screen)) >= set(NUMBER.findall(plain))


def test_a_name_too_long_for_a_screen_is_folded():
    table = FittedTable("title", [names("name"), Column("number")])
    table.add_row("n" * 100, "0.123456")
    text = shown([table], 40)
    assert text.count("n") >= 100
    assert "0.123456" in text
    assert max(map(len, text.splitlines())) <= 40


def test_what_all_rows_say_is_said_once_and_what_none_has_is_left_out():
    table = FittedTable("title", [names("name"), Column("schedule", once=True), Column("loss"),
                                  Column("bubble", "%", once=True)])
    for name, bubble in (("a", "3.2"), ("b", "3.2")):
        table.add_row(name, "gpipe", "–", bubble)
    text = shown([table], 80)
    assert "title; in every row: schedule gpipe, bubble 3.2 %" in text
    assert "loss" not in text
    table.add_row("c", "1f1b", "0.5", "3.2")
    assert re.search(r"name +schedule +loss\n", shown([table], 80))


def test_blocks_break_between_groups():
    heads = [Column(f"{name} number {place}", group=place) for place in (0, 1)
             for name in ("one", "two", "three")]
    table = FittedTable("title", [names("name"), *heads])
    table.add_row("a", *("1234567890123" for _ in heads))
    first = next(line for line in shown([table], 80).splitlines() if "name" in line)
    assert (first.count("0"), first.count("1")) == (3, 0)


def test_heads_break_at_blanks_before_hyphens():
    head = f"incon{HYPHEN}sis{HYPHEN}tent passes"
    assert broken(head, 30) == ["inconsistent passes"]
    assert broken(head, 12) == ["inconsistent", "passes"]
    assert broken(head, 9) == ["inconsis-", "tent", "passes"]
    assert broken(head, 6) == ["incon-", "sis-", "tent", "passes"]
    assert broken("mini-batches/s", 10) == ["mini-", "batches/s"]


def test_a_column_has_one_number_of_decimals():
    assert aligned([0.0717, 0.461, None, 0.0]) == ["0.072", "0.461", "–", "0"]
    assert aligned([2.0, 1.0, 0.0]) == ["2", "1", "0"]
    assert aligned([0.000123, 38.0]) == ["0.000123", "38"], "a small one loses no digits"
    assert aligned([123456.0, 2.0]) == ["123456", "2"]
    assert aligned([29862223.0, 2.0]) == ["2.99e+07", "2"]
    assert in_percent([2 / 3, 0.0099, 0.0]) == ["66.7", "1.0", "0"]
    assert in_percent([1.0, 0.1875]) == ["100.0", "18.8"]


@pytest.mark.parametrize(("values", "units", "sign"), [
    ([0.0, 98304.0, 5e6], BYTES, "MB"), ([999.0], BYTES, "B"), ([None, 0.0], BYTES, "B"),
    ([0.0032, 0.0], SECONDS, "ms"), ([124.0, 1e-9], SECONDS, "s"), ([1e-12], SECONDS, "ns")])
def test_the_largest_chooses_the_unit(values, units, sign):
    assert unit_for(values, units).sign == sign


def test_even_stages_are_told_in_words():
    assert by_stage([0.0] * 8) == "0 on every stage"
    assert by_stage([7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0]) == (
        "7 on the first stage, one fewer on each, 0 on the last")
    assert by_stage([2.0, 1.0, 0.5]) == "2.0, 1.0, 0.5"


def test_a_sweeps_cells_are_numbers_and_stand_together():
    rows = [{"point": 0, "pipeline.mitigation": {"name": "i-timeprest", "decay": 2.0},
             "costs.forward_s": [1.0, 2.0], "error": None, "late": [1.0, 0.0],
             "seeds": [0, 1], "loss_ci95": [0.1, 0.3], "spread": [{"1": 96}, {"0": 96}]},
            {"point": 1, "pipeline.mitigation": "none", "costs.forward_s": 1.0, "error": None,
             "late": [2.0, 1.0, 0.0], "seeds": [0, 1], "loss_ci95": None, "spread": [{}]},
            {"point": 2, "pipeline.mitigation": "none", "costs.forward_s": 1.0, "error": None,
             "late": [float(k) for k in range(65)]}]
    found = level(rows)
    assert list(found[0]) == list(found[1]) == list(found[2]) == [
        "point", "pipeline.mitigation", "costs.forward_s", "error", "late.mean", "late.max",
        "late.0", "late.1", "late.2", "seeds.0", "seeds.1", "loss_ci95.low", "loss_ci95.high",
        "loss_ci95", "spread.0.1", "spread.1.0"]
    assert found[0]["pipeline.mitigation"] == "i-timeprest:decay=2.0"
    assert found[0]["costs.forward_s"] == "[1.0, 2.0]"
    assert (found[0]["late.mean"], found[1]["late.max"], found[0]["late.2"]) == (0.5, 2.0, None)
    assert (found[0]["loss_ci95.high"], found[0]["spread.0.1"]) == (0.3, 96)
    assert (found[2]["late.mean"], found[2]["late.0"]) == (32.0, None)
