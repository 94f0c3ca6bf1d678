"""The packages as a library: names, values, mistakes, and what importing them costs."""

import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import analysis
import figures
import gpu
import sim
from tests.figures.legible import drawn

ROOT = Path(__file__).parents[1]
QUICK = {"task": "none", "minibatches": 12}
JITTER = {"jitter": {"sigma": 0.3}}


@pytest.mark.parametrize("package", [sim, analysis, figures, gpu], ids=lambda p: p.__name__)
def test_every_public_name_is_there_is_told_and_says_what_it_is(package):
    for name in package.__all__:
        assert name in dir(package)
        assert getattr(package, name).__doc__
    assert (Path(package.__file__).parent / "py.typed").exists()
    with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute 'x'"):
        _ = package.x


def test_the_names_of_doors_are_public():
    assert {"run", "compare", "replicas", "load", "Program", "parse_program", "schedules",
            "mitigations", "Experiment", "__version__"} <= set(sim.__all__)
    assert {"report", "steady", "advise"} <= set(analysis.__all__)
    assert "timeline" in figures.__all__
    assert {"run", "validate"} <= set(gpu.__all__)


def test_keys_are_flat_or_dotted_and_values_pythons_or_text():
    trace = sim.run(stages=4, mitigation="spectrain", **QUICK)
    assert trace.shape.stages == 4
    for other in (sim.run(**{"pipeline.stages": "4", "pipeline.mitigation": "spectrain"}, **QUICK),
                  sim.run({"pipeline": {"stages": 4}}, mitigation={"name": "spectrain"}, **QUICK),
                  sim.run(sim.Experiment(), stages=np.int64(4), mitigation="spectrain", **QUICK)):
        assert str(other.program()) == str(trace.program())
        assert (other.version_read == trace.version_read).all()
    timed = sim.run(**{"costs.forward_s": (1, 2.0, 3)}, **QUICK)
    assert (timed.end_s == sim.run(forward_s=np.array([1.0, 2.0, 3.0]), **QUICK).end_s).all()


def test_an_experiment_file_is_read_and_keys_win(tmp_path):
    path = tmp_path / "e.toml"
    path.write_text("[pipeline]\nstages = 5\nminibatches = 12\n")
    assert sim.run(path, task="none").shape.stages == 5
    assert sim.run(str(path), stages=2, task="none").shape.stages == 2


def test_what_is_given_is_not_changed():
    document = {"pipeline": {"stages": 2}}
    sim.run(document, minibatches=5, task="none")
    assert document == {"pipeline": {"stages": 2}}


@pytest.mark.parametrize(("keys", "says"), [
    ({"stagse": 4}, "did you mean stages?"),
    ({"pipeline.stage": 4}, "did you mean stages?"),
    ({"schedule": "gpip"}, "did you mean gpipe?"),
    ({"mitigation": "stsh"}, "did you mean stash?"),
    ({"stages": "four"}, "pipeline.stages: "),
])
def test_a_mistake_is_a_configuration_error_with_the_nearest_name(keys, says):
    for function in (sim.run, sim.compare, analysis.steady):
        if function is sim.compare and "mitigation" in keys:
            continue  # rows bring their own
        with pytest.raises(sim.ConfigurationError) as error:
            function(**keys)
        assert says in str(error.value)


def test_a_program_runs_as_it_is():
    program = sim.parse_program("0F0,0F1,0B0,0B1\n1F0,1B0,1F1,1B1\n")
    trace = sim.run(program=program, task="none", stages=7)
    assert trace.program() == program
    assert trace.end_s.max() == 6
    with pytest.raises(ValueError, match="1B0"):
        sim.parse_program("0F0,0B0\n1B0,1F0\n")


def test_rows_are_those_of_the_command():
    rows = sim.compare(mitigations=["none", "timeprest"], **QUICK)
    assert [row["mitigation"] for row in rows] == ["none", "timeprest"]
    assert "defined on nf1b" in rows[1]["refused"]
    assert sim.compare(mitigations="none,timeprest", **QUICK) == rows
    assert len(sim.compare(**QUICK)) == len(sim.mitigations)
    with pytest.raises(sim.ConfigurationError, match="one or the other"):
        sim.compare(mitigations="none", systems="gpipe")


def test_systems_are_rows_too():
    (row,) = sim.compare(systems=["gpipe"], minibatches=20, batch_size=8)
    assert row["system"] == "gpipe"
    assert row["largest_stable_rate"] > 0


def test_replicas_are_the_runs_of_their_seeds():
    found = sim.replicas(runs=3, seed=5, **JITTER, **QUICK)
    assert found.seeds.tolist() == [5, 6, 7]
    assert found.makespan_s.tolist() == [
        sim.run(seed=seed, **JITTER, **QUICK).end_s.max() for seed in (5, 6, 7)]
    assert found.throughput_minibatches_per_s.tolist() == (12 / found.makespan_s).tolist()
    with pytest.raises(sim.ConfigurationError, match="at least 1"):
        sim.replicas(runs=0)
    with pytest.raises(sim.ConfigurationError, match="static"):
        sim.replicas(runs=2, dispatch="greedy")


def test_what_is_registered_can_be_looked_at():
    assert sim.schedules["gpipe"].name == "gpipe"
    assert "stash" in sim.mitigations
    assert [each.name for each in sim.schedules] == sim.schedules.names()
    assert "round-robin" in repr(sim.schedules)
    with pytest.raises(sim.ConfigurationError, match=r"did you mean gpipe\?"):
        _ = sim.schedules["gpip"]


def test_a_trace_comes_back_from_its_file(tmp_path):
    trace = sim.run(**QUICK)
    trace.save(tmp_path / "t.npz")
    assert repr(sim.load(tmp_path / "t.npz")) == repr(trace)
    assert analysis.report(tmp_path / "t.npz") == analysis.report(trace)


def test_values_tell_what_they_are_in_three_lines():
    from sim.experiment.run import settle
    from sim.experiment.setup import VirtualSetup

    trace, program = sim.run(**QUICK), sim.parse_program("0F0,0B0\n")
    experiment = sim.Experiment.model_validate({"pipeline": {"stages": 2, "minibatches": 3}})
    told = [repr(trace), repr(program), repr(experiment), repr(sim.schedules),
            repr(sim.replicas(runs=2, **QUICK))]
    ready = settle(VirtualSetup.of(experiment))
    told += [repr(ready.timeline), repr(ready.plan)]
    assert max(len(text.splitlines()) for text in told) <= 3
    assert max(len(line) for text in told for line in text.splitlines()) <= 300
    assert "makespan 28 s" in told[0]
    assert told[2] == "Experiment(pipeline={'stages': 2, 'minibatches': 3})"


def test_a_steady_state_and_advice_are_those_of_the_commands():
    steady = analysis.steady(schedule="gpipe", microbatches=4)
    assert (steady["schedule"], steady["microbatches"]) == ("gpipe", 4)
    measured = ROOT / "figures/measured/cpu-2core/profile/profile.json"
    advice = analysis.advise(measured, memory_limit=1e9, devices=2, microbatches=[1],
                             backward="graph")
    assert {row["backward"] for row in advice["rows"]} == {"graph"}


def test_a_trace_as_a_data_frame():
    pandas = pytest.importorskip("pandas")
    trace = sim.run(**QUICK)
    frame = trace.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert len(frame) == len(trace)
    assert set(frame["op"]) == {"F", "B", "U"}
    assert frame["minibatch"].min() == 1


def test_a_missing_part_says_what_to_install(monkeypatch):
    trace = sim.run(**QUICK)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"^pandas is not installed; pip install 'pipestale\["):
        trace.to_pandas()


@pytest.mark.parametrize("name", ["timeline", "staleness", "memory", "learning"])
def test_a_picture_is_drawn_on_the_callers_axes_and_leaves_its_style_alone(name):
    import matplotlib as mpl
    from matplotlib.figure import Figure

    before = dict(mpl.rcParams)
    ax = Figure().subplots()
    assert getattr(figures, name)(sim.run(minibatches=12, evaluate_every=4), ax) is ax
    assert ax.get_xlabel()
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize(("name", "given", "options"), [
    ("prediction", "trace", {}), ("jitter", "trace", {"draws": 4}),
    ("validation", ROOT / "figures/measured/cpu-2core/validate", {"run": "none@gpipe"}),
    ("sweep", "table", {"x": "stages", "y": "makespan_s"})])
def test_what_is_drawn_of_other_things_leaves_style_alone_too(name, given, options):
    import matplotlib as mpl
    from matplotlib.figure import Figure

    things = {"trace": lambda: sim.run(minibatches=12, jitter={"sigma": 0.1}),
              "table": lambda: [{"point": n, "pipeline.stages": n + 2, "error": None,
                                 "makespan_s": 10.0 * n} for n in range(3)]}
    thing = things[given]() if isinstance(given, str) else given
    before = dict(mpl.rcParams)
    ax = Figure().subplots()
    assert getattr(figures, name)(thing, ax, **options) is ax
    assert ax.get_xlabel()
    assert dict(mpl.rcParams) == before


def test_a_validation_of_no_such_run_is_refused(tmp_path):
    with pytest.raises(sim.ConfigurationError, match=r"did you mean stash@round-robin\?"):
        figures.validation(ROOT / "figures/measured/cpu-2core/validate", run="stsh@round-robin")
    (tmp_path / "report.json").write_text('{"runs": [{}]}')
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    with pytest.raises(sim.ConfigurationError, match="not what a validation wrote; columns"):
        figures.validation(tmp_path)


def test_a_picture_without_axes_makes_its_own():
    ax = figures.timeline(sim.run(**QUICK), minibatch=4)
    assert {"W4", "W5", "W6"} <= {text.get_text() for text, _ in drawn(ax.figure)}
    ax.figure.clear()
    with pytest.raises(sim.ConfigurationError, match="mini-batches are 1 to 12"):
        figures.timeline(sim.run(**QUICK), minibatch=13)
    with pytest.raises(sim.ConfigurationError, match="evaluate_every"):
        figures.learning(sim.run(**QUICK))


def test_real_stages_run_from_python():
    pytest.importorskip("torch")
    trace = gpu.run(mitigation="stash", minibatches=4, batch_size=4)
    assert trace.shape.stages == 2
    assert (sim.run(mitigation="stash", stages=2, minibatches=4, task="none").version_read
            == trace.version_read).all()
    with pytest.raises(sim.ConfigurationError, match=r"did you mean stages\?"):
        gpu.run(stagse=2)


def elsewhere(folder: Path, code: str) -> subprocess.CompletedProcess:
    """Python that runs in another folder, with this repository on its path."""
    return subprocess.run([sys.executable, "-c", f"import sys; sys.path.append({str(ROOT)!r})\n"
                           + code], cwd=folder, capture_output=True, text=True, check=False)


def test_a_script_outside_the_tree_needs_two_lines(tmp_path):
    done = elsewhere(tmp_path, 'import sim\nprint(repr(sim.run(stages=4, mitigation="spectrain")))')
    assert done.stdout.splitlines()[0].startswith("Trace of 4 stages"), done.stderr


HEAVY = {"numpy", "scipy", "matplotlib", "simpy", "pydantic", "rich", "torch", "click", "pandas"}


def test_importing_the_packages_imports_no_library(tmp_path):
    done = elsewhere(tmp_path, "import sim, analysis, figures, gpu\nprint(*sys.modules)")
    assert not {name.partition(".")[0] for name in done.stdout.split()} & HEAVY, done.stderr


@pytest.mark.parametrize("file", ["sim/__init__.py", "sim.py"])
def test_a_foreign_sim_is_refused_wherever_it_stands_on_the_path(tmp_path, file):
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("")
    hidden = elsewhere(tmp_path / "..", f"sys.path.append({str(tmp_path)!r})\nimport sim")
    for done, own in [(hidden, "sim"), *((elsewhere(tmp_path, f"import {package}"), package)
                                         for package in ("analysis", "figures", "gpu"))]:
        last = done.stderr.splitlines()[-1]
        assert last.startswith("ImportError: ")
        assert str(tmp_path / file) in last
        assert str(ROOT / own / "__init__.py") in last


def test_another_copy_of_the_project_is_no_foreign_one(tmp_path):
    for package in ("sim", "analysis", "figures", "gpu"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("")
    done = elsewhere(ROOT, f"sys.path.append({str(tmp_path)!r})\nimport sim, gpu\nprint('fine')")
    assert done.stdout == "fine\n", done.stderr


def test_the_distribution_is_private_and_has_one_console_command():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "Private :: Do Not Upload" in project["classifiers"]
    assert list(project["scripts"]) == ["pipestale"]
