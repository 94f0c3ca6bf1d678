"""`analysis drift` and `analysis.drift`: the same rows, tables that fit, mistakes in one line."""

import json

import pytest
from click.testing import CliRunner

import analysis
from analysis.__main__ import main

pytestmark = pytest.mark.filterwarnings("error")
SMALL = ("stages=3", "minibatches=16", "layers=9", "width=6", "batch_size=8", "microbatches=4",
         "schedule=1f1b", "trends=[{stage=1, from_s=20.0, to_s=60.0, factor=2.0}]")


def call(*arguments, columns=80, settings=SMALL):
    given = [part for each in settings for part in ("--set", each)]
    return CliRunner().invoke(main, ["drift", *arguments, *given], env={"COLUMNS": str(columns)})


def test_json_has_what_the_function_gives_and_every_course():
    result = call("--json", "--every", "4", "--seeds", "2")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert [row["policy"] for row in rows] == ["static", "greedy", "replan", "recut"]
    keys = dict(each.split("=", 1) for each in SMALL)
    assert rows == json.loads(json.dumps(analysis.drift(every=4, seeds=2, **keys)))
    recut = rows[3]
    assert recut["versus"] == "static"
    assert recut["paired"]["final_loss"]["values"] == [1.0, 1.0]  # a flush: whatever moved
    assert recut["courses"][0][0]["layers"] == [3, 3, 3]
    assert recut["courses"][0][-1]["layers"] != [3, 3, 3]
    assert sum(recut["staleness"]["distribution"]["forward"][0].values()) == 2 * 4 * (16 - 6)


@pytest.mark.parametrize("columns", [80, 200])
def test_the_screen_shows_policies_and_courses(columns):
    result = call("--every", "4", "--policies", "static,recut", columns=columns)
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= columns
    for words in ("static", "recut", "from 9 on", "layers", "moved"):
        assert words in result.stdout


def test_a_policy_that_cannot_be_followed_is_a_row_with_its_reason():
    result = call("--every", "4", "--policies", "static,recut", settings=(*SMALL[:2], "task=none"))
    assert result.exit_code == 0, result.output
    assert "pipeline.layout" in result.stdout


@pytest.mark.parametrize(("arguments", "settings", "said"), [
    (("--policies", "statc"), SMALL, "did you mean static"),
    (("--orders", "zb-h"), SMALL, "did you mean zb-h"),
    ((), (*SMALL, "dispatch=greedy"), "pipeline.dispatch"),
    ((), (*SMALL, "count=2"), "workers.count")])
def test_mistakes_are_lines_and_exit_with_2(arguments, settings, said):
    result = call(*arguments, settings=settings)
    assert result.exit_code == 2
    assert said in result.output
    assert "Traceback" not in result.output


def test_a_searched_order_can_be_planned_and_is_no_slower():
    uneven = (*SMALL[:7], "forward_s=[1.0, 1.5, 0.7]", "latency_s=0.4",
              "stragglers=[{stage=0, from_s=30.0, to_s=300.0, factor=2.0}]")
    plain, searched = (json.loads(call("--json", "--every", "4", "--policies", "replan",
                                       "--rounds", rounds, settings=uneven).stdout)[0]
                       for rounds in ("0", "300"))
    assert searched["makespan_s"] <= 1.02 * plain["makespan_s"]
    assert any(leg["order"] == "searched" for leg in searched["courses"][0])
