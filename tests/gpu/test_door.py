"""The door: `python -m gpu run` as a user meets it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

import gpu
import sim
from gpu.__main__ import main
from gpu.errors import DeviceError
from sim.errors import ConfigurationError
from sim.experiment.configuration import resolve
from sim.experiment.program_file import taken, with_program
from sim.order.torch_csv.reading import without_messages
from sim.trace import Trace

pytestmark = pytest.mark.filterwarnings("error")  # whatever a door warns of, a user would read

SMALL = ["--set", "minibatches=4", "--set", "batch_size=4"]


def run(*options):
    return CliRunner().invoke(main, ["run", *options])


def test_a_run_writes_its_trace_and_says_what_it_did(tmp_path):
    result = run(*SMALL, "--set", "mitigation=stash", "--out", str(tmp_path / "t.npz"), "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    trace = Trace.load(tmp_path / "t.npz")
    assert told["mitigation"] == trace.header.mitigation == "stash"
    assert told["makespan_s"] == trace.end_s.max()
    assert told["stages"] == 2
    assert "makespan  " in run(*SMALL).stdout


def test_stages_follow_the_devices_unless_set(tmp_path):
    told = json.loads(run(*SMALL, "--devices", "cpu,cpu,cpu", "--json").stdout)
    assert told["stages"] == 3
    assert told["devices"] == ["cpu#0", "cpu#1", "cpu#2"]


OURS = "# one mini-batch of two\n0F0,0F1,0B0,0B1\n1F0,1B0,1F1,1B1\n"
TORCHS = "0F0,0F1,,0B0,0B1\n,1F0,1B0,1F1,1B1\n"


@pytest.mark.parametrize(("text", "minibatches"), [(OURS, 3), (TORCHS, 3)])
def test_a_program_of_the_users_own_is_executed_in_its_order(text, minibatches, tmp_path):
    file = tmp_path / "order.txt"
    file.write_text(text)
    result = run("--program", str(file), "--set", "minibatches=3", "--set", "batch_size=4",
                 "--set", "mitigation=stash", "--out", str(tmp_path / "t.npz"), "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["schedule"], told["stages"], told["minibatches"]) == ("file", 2, minibatches)
    assert "is PyTorch's CSV: 2 stages on 2 devices, 1 mini-batch of 2" in result.stderr
    _, program = with_program(resolve({"pipeline": {"minibatches": 3}}), taken(file))
    assert Trace.load(tmp_path / "t.npz").program() == program


def test_receives_that_stand_ahead_of_their_passes_hold_no_device_up(tmp_path):
    """0RECV_B0 before 0F0: waited for there, it would never come."""
    file = tmp_path / "ahead.csv"
    file.write_text("0RECV_B0,0F0,0SEND_F0,0F1,0SEND_F1,0B0,0RECV_B1,0B1\n"
                    "1RECV_F0,1F0,1B0,1SEND_B0,1RECV_F1,1F1,1B1,1SEND_B1\n")
    result = run("--program", str(file), "--set", "batch_size=8", "--out",
                 str(tmp_path / "t.npz"))
    assert result.exit_code == 0, result.output
    trace = Trace.load(tmp_path / "t.npz")
    assert trace.program() == without_messages(taken(file).program)


def test_the_library_takes_a_program_and_graphs():
    program = sim.parse_program(OURS)
    trace = gpu.run(program=program, graphs="off", batch_size=4)
    assert trace.program() == program
    with pytest.raises(ConfigurationError, match="graphs 'offf' is unknown"):
        gpu.run(graphs="offf")
    with pytest.raises(DeviceError, match="its 2 stages on 2 devices, --devices names 3"):
        gpu.run(program=program, devices="cpu,cpu,cpu")


def test_a_run_says_whether_stages_were_captured():
    told = json.loads(run(*SMALL, "--graphs", "off", "--json").stdout)
    assert told["graphs"] is False
    assert "captured  no" in run(*SMALL).stdout


@pytest.mark.parametrize(("options", "says"), [
    (["--program", "{}/order.txt", "--devices", "cpu,cpu,cpu"],
     "has its 2 stages on 2 devices, --devices names 3 (cpu,cpu,cpu); name one for each"),
    (["--program", "{}/odd.txt"], "line 2"),
    (["--program", "{}/none.txt"], "none.txt: there is no such file"),
    (["--program", "{}/order.txt", "--set", "mitigation=timeprest"], "is defined on nf1b"),
    (["--graphs", "often"], "'often' is not one of 'auto', 'on', 'off'"),
])
@pytest.mark.parametrize("command", ["run", "profile", "validate"])
def test_a_program_or_a_choice_that_is_wrong_is_told(command, options, says, tmp_path):
    (tmp_path / "order.txt").write_text(OURS)
    (tmp_path / "odd.txt").write_text("0F0,0B0\n1F0,what\n")
    made = [option.format(tmp_path) for option in options]
    result = CliRunner().invoke(main, [command, "--set", "batch_size=4", *made])
    assert result.exit_code == 2, result.output
    assert says in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize(("options", "says"), [
    (["--set", "stages=3"], "needs 3 devices, --devices names 2"),
    (["--set", "schedule=roundrobin"], "did you mean round-robin?"),
    (["--model", "alexnet"], "choose from narrow, resnet50, vgg16, transformer"),
    (["--model", "resnet5"], "did you mean resnet50?"),
    (["--devices", "tpu"], "'tpu' is not a device"),
    (["--devices", "cuda0,cuda:1"], "did you mean cuda:0?"),
    (["--devices", "cuda:77,cuda:78"], "cuda:77 is not there"),
    (["--set", "batch_size=5", "--set", "microbatches=2"], "divides"),
    (["nowhere.toml"], "nowhere.toml"),
    (["--devices", "cpu,cpu,cpu,cpu,cpu,cpu,cpu"], "1 to 6 stages, got 7"),
    (["--out", f"{__file__}/t.npz"], "is no folder that can be written to"),
    (["--optimizer", "lamb"], "momentum"),
    (["--devices", "cuda:0/300000000"], "at most 64"),
    (["--devices", "cuda:0/" + "9" * 5000], "is not a device"),
    (["--set", "batch_size=1"], "cannot take 1 image(s) of 32 pixels a side"),
    (["--threads", "99999999999999"], "not in the range 1<=x<=1024"),
    (["--image-size", "1000000"], "not in the range 8<=x<=4096"),
    (["--classes", "1000000000"], "not in the range 2<=x<=100000"),
])
def test_a_mistake_is_one_clear_line_and_exit_code_2(options, says):
    result = run(*options)
    assert result.exit_code == 2
    assert says in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_a_failed_run_names_the_stage_and_writes_nothing(tmp_path):
    result = run("--set", "learning_rate=1e30", "--out", str(tmp_path / "t.npz"))
    assert result.exit_code == 1
    assert result.stderr.startswith("error: stage 1 is no longer finite at 1F")
    assert list(tmp_path.iterdir()) == []


def test_a_divergence_can_be_recorded(tmp_path):
    result = run("--set", "learning_rate=1e30", "--keep-going", "--json", *SMALL)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["diverged_at"] == 2


def seconds_of(process):
    """CPU seconds a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="watches it through /proc")
def test_interrupting_it_is_one_line_and_writes_nothing(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "gpu", "run", "--set", "minibatches=50000", "--out",
         str(tmp_path / "t.npz")], stderr=subprocess.PIPE, text=True)
    while seconds_of(process.pid) < 6:  # importing torch takes less
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == "error: interrupted; nothing was written\n"
    assert list(tmp_path.iterdir()) == []


def test_help_imports_no_torch():
    code = ("import sys; from click.testing import CliRunner; from gpu.__main__ import main;"
            "assert CliRunner().invoke(main, ['run', '--help']).exit_code == 0;"
            "assert 'torch' not in sys.modules and 'numpy' not in sys.modules")
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(("command", "options", "says"), [
    ("staleness", ["--noise", "nan"], "not a finite number"),
    ("staleness", ["--mitigations", ""], "--mitigations: name at least one"),
    ("tutorial", ["--within", "nan"], "not a finite number"),
    ("tutorial", ["--learning-rate", "inf"], "not a finite number"),
    ("validate", ["--image-sizes", "7"], "image_size: 8 to 4096, got 7"),
    ("validate", ["--grid", ""], "name at least one"),
    ("profile", ["--set", "batch_size=1"], "cannot take 1 image(s)"),
])
def test_what_a_study_cannot_do_is_told_before_it_begins(command, options, says, tmp_path):
    out = [] if command == "profile" else ["--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, [command, *options, *out])
    assert result.exit_code == 2, result.output
    assert says in result.stderr
    assert not (tmp_path / "out").exists()


def test_synthetic_images_that_do_not_fit_are_refused(monkeypatch):
    from sim.experiment.demands import estimate

    monkeypatch.setattr(estimate, "free_bytes", lambda: 4e9)
    result = run("--image-size", "4096")
    assert result.exit_code == 2
    assert "the synthetic images 387 GB), and 4 GB are free; lower --image-size" in result.stderr


@pytest.mark.parametrize(("changed", "says"), [
    ({"RANK": "abc"}, "RANK: the environment's is a whole number from 0 to 1, got 'abc'"),
    ({"RANK": "5"}, "RANK: the environment's is a whole number from 0 to 1, got '5'"),
    ({"MASTER_PORT": "99999"}, "MASTER_PORT: the environment's is a whole number from 1 to 65535"),
    ({"WORLD_SIZE": "0"}, "WORLD_SIZE: the environment's is a whole number from 1"),
])
def test_an_environment_that_names_no_rank_is_told(changed, says, monkeypatch):
    monkeypatch.setattr("os._exit", sys.exit)  # a rank ends at once, without waiting for threads
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0",
                        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}.items():
        monkeypatch.setenv(name, changed.get(name, value))
    result = run()
    assert result.exit_code == 2
    assert says in result.stderr
