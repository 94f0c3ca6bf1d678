"""Sweeps as a user meets them: tables, failures, resuming, and numbers that depend on no worker."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from analysis.comparison.compare import merge
from analysis.metrics.report import report
from analysis.sweep.points import Grid, Sweep
from analysis.sweep.pool import cluster, processes
from analysis.sweep.reading import read_sweep
from analysis.sweep.run import run_sweep
from analysis.sweep.work import flat
from sim.__main__ import main as sim
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from tests.analysis.sweeps import finish, grid, journal, kill_at_random, records, start


def call(*arguments: object) -> Result:
    return CliRunner().invoke(sim, ["sweep", *map(str, arguments)])


def write(folder: Path, text: str) -> Path:
    path = folder / "s.toml"
    path.write_text(text)
    return path


def swept(folder: Path, text: str, workers: int = 1) -> list[dict[str, object]]:
    return run_sweep(read_sweep(write(folder, text)), folder / f"out{workers}", processes(workers))


def test_a_row_is_the_points_settings_and_its_report(tmp_path):
    sweep = read_sweep(write(tmp_path, grid(seeds=1, rates=2, momenta=1, stages=3)))
    rows = run_sweep(sweep, tmp_path / "out", processes(1))
    assert [row["point"] for row in rows] == list(range(30))
    for number in (0, 9, 24):
        point, row = sweep.point(number), rows[number]
        assert row["error"] is None
        assert {key: row[key] for key in point.settings} == {
            **point.settings, "pipeline.mitigation": row["pipeline.mitigation"]}
        assert row | flat(report(run(resolve(point.document)))) == row
    infinite = [row for row in rows if isinstance(row["pipeline.mitigation"], dict)]
    assert {row["pipeline.mitigation"]["decay"] for row in infinite} == {"inf"}


def test_tables_are_the_rows_as_csv_and_json(tmp_path):
    path = write(tmp_path, grid(seeds=1, rates=1, momenta=1, stages=2))
    result = call(path, "--out", tmp_path / "out", "--workers", 1, "--json")
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert json.loads((tmp_path / "out/table.json").read_text()) == rows
    with (tmp_path / "out/table.csv").open() as file:
        cells = list(csv.DictReader(file))
    assert len(cells) == len(rows) == 10
    for row, cell in zip(rows, cells, strict=True):
        assert cell["error"] == (row["error"] or "")
        if row["error"] is None:
            assert float(cell["final_loss"]) == row["final_loss"]
            places = [float(cell[f"staleness.forward.{k}"]) for k in range(row["stages"])]
            assert places == row["staleness.forward"]
            assert float(cell["staleness.forward.mean"]) == sum(places) / row["stages"]
    assert "[" not in (tmp_path / "out/table.csv").read_text().partition("\n")[2]


def test_a_point_that_fails_is_recorded_and_the_others_go_on(tmp_path):
    rows = swept(tmp_path, """
[experiment]
pipeline = { minibatches = 4 }
training = { task = "none" }
cluster = { activation_bytes = 2.0 }
[grid]
"pipeline.schedule" = ["gpipe", "nonsense"]
"pipeline.mitigation" = ["none", "timeprest"]
"cluster.activation_limit_bytes" = [1.0, 1e9]
""")
    errors = [row["error"] for row in rows]
    assert [e is None for e in errors] == [False, True] + [False] * 6
    assert errors[0].startswith("DeadlockError: the pipeline is deadlocked")
    assert errors[2] == ("ConfigurationError: pipeline.mitigation: timeprest is defined on nf1b, "
                         "not on gpipe")
    assert errors[4].startswith("ConfigurationError: pipeline.schedule: schedule 'nonsense'")
    result = call(tmp_path / "s.toml", "--out", tmp_path / "out1")
    assert result.exit_code == 0
    assert "8 points, 7 failed" in result.output
    assert "2  ConfigurationError: pipeline.mitigation: timeprest" in result.output


def test_an_unforeseen_exception_is_recorded_too(tmp_path, monkeypatch):
    import analysis.sweep.work as work

    def broken(experiment, **keys):
        if experiment.pipeline.stages == 2:
            raise ZeroDivisionError("made for this test")
        return run(experiment, **keys)

    monkeypatch.setattr(work, "run", broken)
    rows = swept(tmp_path, '[experiment.training]\ntask = "none"\n[grid]\nstages = [1, 2, 3]')
    assert [row["error"] for row in rows] == [None, "ZeroDivisionError: made for this test", None]


def test_seeds_are_averaged_and_counted_from_the_points_own(tmp_path):
    (row,) = swept(tmp_path, "seeds = 4\n[experiment]\npipeline = { minibatches = 9 }\n"
                             "training = { width = 6 }\n[grid]\n'training.seed' = [4]")
    alone = [report(run(resolve({"pipeline": {"minibatches": 9},
                                 "training": {"width": 6, "seed": seed}})))
             for seed in (4, 5, 6, 7)]
    assert row["seeds"] == [4, 5, 6, 7]
    expected = merge(alone, [4, 5, 6, 7])
    assert row["final_loss"] == pytest.approx(expected["final_loss"], rel=1e-12)
    assert row["final_loss_ci95"] == pytest.approx(expected["final_loss_ci95"], rel=1e-9)
    low, high = row["final_loss_ci95"]
    assert low < row["final_loss"] < high


def test_a_search_is_the_same_for_any_number_of_workers_and_order(tmp_path):
    text = """
[experiment.pipeline]
minibatches = 10
[random]
points = 24
seed = 3
[random.keys]
"pipeline.stages" = { low = 1, high = 4 }
"pipeline.mitigation" = { choices = ["none", "stash", "nwpt"] }
"training.learning_rate" = { low = 1e-3, high = 0.3, scale = "log" }
"costs.jitter.sigma" = { low = 0.0, high = 0.5 }
"""
    one, two = swept(tmp_path, text, 1), swept(tmp_path, text, 2)
    assert one == two
    for name in ("table.csv", "table.json"):
        assert (tmp_path / "out1" / name).read_bytes() == (tmp_path / "out2" / name).read_bytes()
    assert len({row["training.learning_rate"] for row in one}) == 24


def test_what_is_there_is_not_done_again(tmp_path, monkeypatch):
    import analysis.sweep.pool as pool

    sweep = Sweep({"training": {"task": "none"}}, Grid({"pipeline.stages": [1, 2, 3, 4]}))
    first = run_sweep(sweep, tmp_path, processes(1))
    lines = journal(tmp_path).splitlines(keepends=True)
    (tmp_path / "points.jsonl").write_bytes(b"".join([*lines[:2], *lines[3:4]]) + lines[4][:9])
    done = []
    whole = pool.work

    def counting(point):
        done.append(point.number)
        return whole(point)

    monkeypatch.setattr(pool, "work", counting)
    told = []
    assert run_sweep(sweep, tmp_path, processes(1), lambda *each: told.append(each)) == first
    assert done == [1, 3]
    assert told == [(2, 0), (3, 0), (4, 0)]
    run_sweep(sweep, tmp_path, processes(1))
    assert done == [1, 3]


def test_another_sweep_in_the_folder_is_a_clear_mistake(tmp_path):
    path = write(tmp_path, "[experiment.training]\ntask = 'none'\n[grid]\nstages = [1]")
    assert call(path, "--out", tmp_path / "out", "--workers", 1).exit_code == 0
    write(tmp_path, "[experiment.training]\ntask = 'none'\n[grid]\nstages = [2]")
    result = call(path, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "begun by another sweep" in result.output


def test_mistakes_at_the_door_are_lines_with_exit_code_2(tmp_path):
    path = write(tmp_path, "[grid]\nstagess = [1]\nminibatches = 2")
    result = call(path, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert result.output.count("error: grid.") == 2
    assert not (tmp_path / "out").exists()
    assert call(tmp_path / "none.toml").exit_code == 2
    path = write(tmp_path, "[grid]\nstages = [1]")
    both = call(path, "--workers", 1, "--dask", "tcp://127.0.0.1:1", "--out", tmp_path / "out")
    assert both.exit_code == 2
    assert "--workers" in both.output


def children(pid: int) -> set[int]:
    """Processes of this machine whose parent is `pid`."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.add(int(status.parent.name))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("lines", [1, 12])
def test_workers_of_a_killed_sweep_end(tmp_path, lines):
    """Before they have got a point, or in the middle of their work."""
    path = write(tmp_path, grid(seeds=9, rates=5, momenta=4))
    process = start(path, tmp_path / "out", "--workers", "2")
    while journal(tmp_path / "out").count(b"\n") < lines or not children(process.pid):
        assert process.poll() is None
        time.sleep(0.02)
    workers = children(process.pid)
    process.kill()
    process.wait()
    patience = time.monotonic() + 60
    while any(map(alive, workers)) and time.monotonic() < patience:
        time.sleep(0.1)
    assert not any(map(alive, workers))


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_no_point_and_one_that_always_dies_is_recorded(tmp_path):
    """Local processes: one point ends its worker's process every time, the others are done."""
    sweep = Sweep({"training": {"task": "none"}},
                  Grid({"pipeline.stages": [2, 3], "training.seed": list(range(30))}))
    plain = run_sweep(sweep, tmp_path / "plain", processes(1))
    deadly = Sweep(sweep.base | {"costs": {"profile": "DIE"}}, sweep.space)
    assert deadly.fingerprint != sweep.fingerprint
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "if 'loky' in ' '.join(sys.orig_argv):\n"
        "    import analysis.sweep.work as work\n"
        "    whole = work.averaged\n"
        "    def averaged(point):\n"
        "        if point.number == 17:\n"
        "            os.kill(os.getpid(), 9)\n"
        "        return whole(point)\n"
        "    work.averaged = averaged\n")
    path = write(tmp_path, "[experiment.training]\ntask = 'none'\n[grid]\nstages = [2, 3]\n"
                           f"seed = {list(range(30))}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(
            [str(tmp_path), str(Path.cwd()), os.environ.get("PYTHONPATH", "")]))
        finish(path, tmp_path / "out", "--workers", "2")
    found = json.loads((tmp_path / "out/table.json").read_text())
    assert found[17]["error"].startswith("WorkerDied")
    assert [row for row in found if row["point"] != 17] == [
        row for row in plain if row["point"] != 17]


@pytest.mark.verify
@pytest.mark.parametrize("kills", [3, 10])
def test_killed_at_random_moments_nothing_is_lost_doubled_or_changed(tmp_path, kills):
    path = write(tmp_path, grid(seeds=3, rates=3, momenta=2))
    finish(path, tmp_path / "still", "--workers", "2")
    rng, moments = random.Random(20181219), []
    for _ in range(kills):
        moments.append(kill_at_random(path, tmp_path / "killed", rng, "--workers", "2"))
    assert moments == sorted(moments)  # no point was ever lost again
    assert len({*moments}) >= min(kills, 4) - 1  # and the kills did come in between
    finish(path, tmp_path / "killed", "--workers", "2")
    still, killed = (sorted(records(tmp_path / name), key=lambda each: each["point"])
                     for name in ("still", "killed"))
    assert [each["point"] for each in killed] == list(range(360))
    assert killed == still
    for name in ("table.csv", "table.json"):
        assert (tmp_path / "still" / name).read_bytes() == (
            tmp_path / "killed" / name).read_bytes()


def deadly(number: int) -> object:
    """A plugin under which one point ends whatever worker it comes to."""
    from distributed.diagnostics.plugin import WorkerPlugin

    class Deadly(WorkerPlugin):
        def setup(self, worker: object) -> None:
            import analysis.sweep.work as work

            whole = work.averaged

            def averaged(point):
                if point.number == number:
                    os.kill(os.getpid(), signal.SIGKILL)
                return whole(point)

            work.averaged = averaged

    return Deadly()


@contextmanager
def two_dask_workers():
    """A running cluster of this machine, with two processes."""
    distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None,
                                  processes=True) as machine:
        yield machine


@pytest.mark.slow
def test_a_dask_cluster_gives_the_same_table_even_if_a_worker_is_killed(tmp_path):
    sweep = read_sweep(write(tmp_path, grid(seeds=2, rates=2, momenta=2)))
    plain = run_sweep(sweep, tmp_path / "plain", processes(1))
    with two_dask_workers() as machine:
        address = machine.scheduler_address
        assert run_sweep(sweep, tmp_path / "dask", cluster(address)) == plain
        pids = [worker.pid for worker in machine.workers.values()]
        assert len({*pids}) == 2
        killed = []

        def kill(done: int, failed: int) -> None:
            if done > 20 and not killed:
                killed.append(pids[0])
                os.kill(pids[0], signal.SIGKILL)

        assert run_sweep(sweep, tmp_path / "hurt", cluster(address), kill) == plain
        assert killed
        assert not alive(pids[0])
    for name in ("table.csv", "table.json"):
        texts = {(tmp_path / each / name).read_bytes() for each in ("plain", "dask", "hurt")}
        assert len(texts) == 1
    numbers = [each["point"] for each in records(tmp_path / "hurt")]
    assert sorted(numbers) == list(range(len(sweep)))


@pytest.mark.verify
def test_a_point_that_kills_every_worker_of_a_dask_cluster_is_recorded(tmp_path):
    sweep = read_sweep(write(tmp_path, grid(seeds=2, rates=2, momenta=2)))
    plain = run_sweep(sweep, tmp_path / "plain", processes(1))
    with two_dask_workers() as machine:
        from distributed import Client

        with Client(machine.scheduler_address) as client:
            client.register_plugin(deadly(17))
        found = run_sweep(sweep, tmp_path / "deadly", cluster(machine.scheduler_address))
    assert found[17]["error"].startswith("WorkerDied: the process that computed it died")
    assert [*found[:17], *found[18:]] == [*plain[:17], *plain[18:]]


def test_no_scheduler_is_a_clear_mistake(tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    monkeypatch.setattr("analysis.sweep.pool.CONNECT_S", 1)
    path = write(tmp_path, "[grid]\nstages = [1]")
    result = call(path, "--dask", "tcp://127.0.0.1:9", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "--dask tcp://127.0.0.1:9: no scheduler answers there" in result.output


def test_dask_that_is_not_installed_is_a_clear_mistake(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "distributed", None)
    path = write(tmp_path, "[grid]\nstages = [1]")
    result = call(path, "--dask", "tcp://127.0.0.1:9", "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert "pip install 'pipestale[cluster]'" in result.output
