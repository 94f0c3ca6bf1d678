"""Tensor parallelism: parts of a pair are the whole, on paper and in real processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest
import torch
from click.testing import CliRunner

from gpu.__main__ import main
from gpu.distributed.beside import ranks_beside
from gpu.distributed.watched import watched
from gpu.errors import RankError
from gpu.tensor.equality import LIMIT_REL
from gpu.tensor.pair import Collectives, Pair, SplitPair, joined
from gpu.tensor.report import configuration, page
from gpu.tensor.study import Asked, check, measured
from gpu.tensor.timing import SIZES, fitted
from gpu.tensor.training import perceptron
from sim.errors import ConfigurationError
from sim.experiment.configuration import document_of, resolve
from sim.times.cluster import Link
from sim.times.profile import LinkSample, Spread
from sim.workers import ring_all_reduce_s

FEW = tuple(1 << power for power in (10, 12, 14, 16))


def asked(ways=2, sizes=FEW, repeats=4, batch_size=8, **pipeline):
    return Asked(resolve({"pipeline": {"stages": 2, "minibatches": 6, **pipeline},
                          "training": {"batch_size": batch_size, "seed": 3}}),
                 ways, sizes=sizes, repeats=repeats)


@pytest.fixture(scope="module")
def two():
    return measured(asked(mitigation="spectrain"))


@pytest.mark.parametrize("ways", [1, 2, 3, 4])
def test_parts_of_a_pair_add_up_to_the_whole_pair(ways):
    """Without processes: the ranks' parts are added here, as an all-reduce would."""
    torch.manual_seed(1)
    whole = Pair(5, 12, 7).double()
    inputs, gradient = torch.randn(3, 5).double(), torch.randn(3, 7).double()
    leaf = inputs.clone().requires_grad_()
    output = whole(leaf)
    wanted = torch.autograd.grad(output, [leaf, *whole.parameters()], gradient)
    outputs, gradients, weights = [], [], []
    for rank in range(ways):
        own = inputs.clone().requires_grad_()
        part = SplitPair(whole, rank, ways, Collectives())
        made = part(own)
        outputs.append(made - part.second.bias)
        found = torch.autograd.grad(made, [own, *part.parameters()], gradient)
        gradients.append(found[0])
        weights.append(list(found[1:]))
    close = {"rtol": 1e-12, "atol": 1e-13}
    assert torch.allclose(sum(outputs) + whole.second.bias, output, **close)
    assert torch.allclose(sum(gradients), wanted[0], **close)
    for one, two in zip(joined(weights), wanted[1:], strict=True):
        assert torch.allclose(one, two, **close)


def test_two_processes_are_one_and_count_what_they_exchange(two):
    same = two["equality"]
    assert max(same["output"], same["input_gradient"], same["weight_gradients"]) <= LIMIT_REL
    assert (same["forward"], same["backward"]) == (1, 1)
    assert same["all_reduce_bytes"] == 8 * 48 * 8  # rows, numbers, bytes of each


def test_two_processes_read_the_same_versions_and_learn_what_one_does(two):
    learnt = two["training"]
    assert learnt["logs_equal"]
    assert learnt["whole_logs_equal"]
    assert learnt["staleness_max"] == 1
    assert learnt["weights"] <= LIMIT_REL
    # six micro-batches on two stages; the first owes nobody a gradient
    assert learnt["all_reduces"] == [{"forward": 6, "backward": 0}, {"forward": 6, "backward": 6}]
    assert two["passed"]


def test_the_report_says_what_was_found_and_its_table_is_the_simulators(two, tmp_path):
    text = page(two, "the command")
    assert "Exact part: passed" in text
    assert text.count("| checked |") == 2
    assert "FAILED" in page({**two, "passed": False}, "the command")
    file = tmp_path / "tensor.toml"
    file.write_text(configuration(two))
    table = resolve(document_of(file, ())).tensor
    assert table.ways == 2
    assert table.ring_latency_s == two["all_reduce"]["latency_s"]
    assert table.ring_bandwidth_bytes_per_s == two["all_reduce"]["bandwidth_bytes_per_s"]


def samples(alpha, beta, ways, noise=()):
    found = []
    for number, size in enumerate(SIZES):
        seconds = 2 * (ways - 1) * alpha + 2 * (ways - 1) / ways * size / beta
        seconds *= noise[number] if noise else 1.0
        found.append(LinkSample(size_bytes=float(size), seconds=Spread(
            median=seconds, iqr=1e-9, repeats=9)))
    return found


@pytest.mark.parametrize("ways", [2, 4])
def test_alpha_and_beta_come_out_and_predict_the_sizes_between(ways):
    fit = fitted(samples(3e-4, 2e9, ways), ways)
    assert fit.latency_s == pytest.approx(3e-4, rel=1e-9)
    assert fit.bandwidth_bytes_per_s == pytest.approx(2e9, rel=1e-9)
    assert fit.as_dict()["held_out_error"]["largest"] < 1e-9
    assert [each["fitted"] for each in fit.as_dict()["sizes"][:3]] == [True, False, True]
    for size in SIZES:  # the simulator's own formula
        assert fit.predicted_s(size) == pytest.approx(ring_all_reduce_s(
            size, Link(fit.latency_s, fit.bandwidth_bytes_per_s), ways))


def test_sizes_that_are_held_out_are_not_fitted():
    odd = [1.5 if number % 2 else 1.0 for number in range(len(SIZES))]
    fit = fitted(samples(3e-4, 2e9, 2, odd), 2)
    assert fit.latency_s == pytest.approx(3e-4, rel=1e-9)
    assert fit.as_dict()["held_out_error"]["median"] == pytest.approx(1 / 3)


def test_a_ring_without_a_limit_has_no_bandwidth():
    flat = [LinkSample(size_bytes=float(size), seconds=Spread(median=1e-3, iqr=1e-4, repeats=9))
            for size in FEW]
    fit = fitted(flat, 2)
    assert fit.bandwidth_bytes_per_s is None
    assert fit.predicted_s(1e9) == pytest.approx(1e-3)
    assert "bandwidth" not in configuration({"ways": 2, "all_reduce": fit.as_dict()})


@pytest.mark.parametrize(("options", "says"), [
    (["--ways", "5"], "--ways: one of 2, 3, 4, 6, 8, 12, 16, got 5"),
    (["--ways", "1"], "not in the range 2<=x<=16"),
    (["--set", "workers.count=2"], "the torch backend runs one worker"),
    (["--set", "batch_size=5", "--set", "microbatches=2"], "divides"),
    (["--set", "schedule=roundrobin"], "did you mean round-robin?"),
    (["nowhere.toml"], "nowhere.toml"),
])
def test_a_mistake_is_told_before_any_process_starts(options, says, monkeypatch, tmp_path):
    monkeypatch.setattr("gpu.tensor.study.ranks_beside", None)
    result = CliRunner().invoke(main, ["tensor", *options, "--out", str(tmp_path / "out")])
    assert result.exit_code == 2, result.output
    assert says in result.stderr
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_asked_is_refused():
    with pytest.raises(ConfigurationError, match="two more to be checked on, got 2"):
        check(asked(sizes=(1024, 2048)))
    with pytest.raises(ValueError, match="at least one stage"):
        perceptron(0, 0)
    with pytest.raises(ValueError, match="ways divides what is between"):
        SplitPair(Pair(3, 4, 3), 0, 3, Collectives())


@pytest.mark.verify
def test_the_door_writes_its_files(tmp_path):
    result = CliRunner().invoke(main, ["tensor", "--repeats", "4", "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "tensor.json", "tensor.md", "tensor.toml"]
    assert json.loads((tmp_path / "tensor.json").read_text())["passed"]


@pytest.mark.verify
@pytest.mark.parametrize(("ways", "pipeline"), [
    (2, {"schedule": "zb-h1", "microbatches": 4}),
    (2, {"mitigation": "stash", "backward": "recompute"}),
    (3, {"stages": 4, "mitigation": "vertical-sync"}),
    (4, {"schedule": "1f1b", "microbatches": 4})])
def test_more_processes_and_other_orders_are_one_too(ways, pipeline):
    found = measured(asked(ways, minibatches=12, **pipeline))
    assert found["passed"], found
    learnt = found["training"]
    again = 2 if pipeline.get("backward") == "recompute" else 1
    forwards = 12 * pipeline.get("microbatches", 1) * again
    assert all(each["forward"] == forwards for each in learnt["all_reduces"])
    assert all(each["backward"] * again == forwards for each in learnt["all_reduces"][1:])


def _dies(world):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.verify
def test_a_process_that_dies_is_named_and_none_is_left():
    over = threading.Event()  # a rank's thread may wait for another for ever
    try:
        with pytest.raises(RankError, match="rank 1"), ranks_beside(2, _dies) as place:
            watched(place, over.wait, host=False)
    finally:
        over.set()
        for thread in threading.enumerate():
            if thread.name == "rank":
                thread.join()


@pytest.mark.verify
def test_ranks_of_torchrun_do_the_same(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port",
         port, "-m", "gpu", "tensor", "--repeats", "4", "--out", str(tmp_path)],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / "tensor.json").read_text())["ways"] == 2
