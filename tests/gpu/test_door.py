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

from gpu.__main__ import main
from sim.trace import Trace

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
    assert "makespan_s" in run(*SMALL).stdout


def test_stages_follow_the_devices_unless_set(tmp_path):
    told = json.loads(run(*SMALL, "--devices", "cpu,cpu,cpu", "--json").stdout)
    assert told["stages"] == 3
    assert told["devices"] == ["cpu#0", "cpu#1", "cpu#2"]


@pytest.mark.parametrize(("options", "says"), [
    (["--set", "stages=3"], "needs 3 devices, --devices names 2"),
    (["--set", "schedule=roundrobin"], "did you mean round-robin?"),
    (["--model", "alexnet"], "choose from narrow, resnet50, vgg16"),
    (["--devices", "tpu"], "'tpu' is not a device"),
    (["--devices", "cuda:77,cuda:78"], "cuda:77 is not there"),
    (["--set", "batch_size=5", "--set", "microbatches=2"], "divides"),
    (["nowhere.toml"], "nowhere.toml"),
    (["--devices", "cpu,cpu,cpu,cpu,cpu,cpu,cpu"], "1 to 6 stages, got 7"),
    (["--out", f"{__file__}/t.npz"], "is no folder that can be written to"),
    (["--optimizer", "lamb"], "momentum"),
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
