"""What depends on torch's versions: workarounds in one place, each still needed or harmless."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch

from gpu import versions
from tests import torch_versions

ROOT = Path(__file__).parents[2]
PRIVATE = re.compile(r"^(torch|torchvision)\b.*\._(?!_)")


def private_names(path):
    """Names of torch's or torchvision's with an underscore that a file imports or reads."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Attribute):
            found.add(ast.unparse(node))
    return {name for name in found if PRIVATE.match(name)}


def test_no_other_file_of_the_packages_uses_private_names():
    found = {str(path.relative_to(ROOT)): names for name in ("sim", "analysis", "figures", "gpu")
             for path in (ROOT / name).rglob("*.py") if (names := private_names(path))}
    assert set(found) == {"gpu/versions.py"}, found


def test_the_walk_finds_private_names_of_every_form(tmp_path):
    path = tmp_path / "file.py"
    path.write_text("import torch._utils\nfrom torch.utils._pytree import tree_leaves\n"
                    "torch.cuda._sleep(1)\ntorch.__version__\nself.torch._x\n")
    assert private_names(path) == {"torch._utils", "torch.utils._pytree.tree_leaves",
                                   "torch.cuda._sleep"}


def test_torch_is_asked_for_without_an_upper_bound_and_fixed_in_the_constraints():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["optional-dependencies"]["gpu"] == ["torch>=2.11", "torchvision>=0.26"]
    fixed = (ROOT / "constraints.txt").read_text()
    assert re.search(r"^torch==[\d.]+$", fixed, re.M)
    assert re.search(r"^torchvision==[\d.]+$", fixed, re.M)


WITHOUT_OPERATORS = """
import torch
real = torch.ops.load_library
def refused(path):
    raise OSError("not for this torch")
torch.ops.load_library = refused
try:
    import torchvision
except RuntimeError as error:
    assert "torchvision::nms does not exist" in str(error), error
    print("needed")
from gpu.versions import models
print(models().resnet18(num_classes=3)(torch.zeros(2, 3, 32, 32)).shape[1])
"""


@pytest.mark.slow
def test_torchvision_without_its_operators_is_imported_all_the_same():
    done = subprocess.run([sys.executable, "-c", WITHOUT_OPERATORS], capture_output=True,
                          text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() in (["needed", "3"], ["3"])


def test_where_its_operators_load_no_schema_is_added():
    versions.models()
    if "torchvision/_C" in " ".join(map(str, torch.ops.loaded_libraries)):
        assert versions._library == []


def test_a_layer_has_the_channels_it_is_asked_for():
    zoo = versions.models().resnet
    net = zoo.ResNet(zoo.Bottleneck, [1, 1, 1, 1], 10)
    net.inplanes = 8
    layer = versions.residual_layer(net, 4, 2, stride=2)
    assert layer(torch.zeros(1, 8, 8, 8)).shape == (1, 16, 4, 4)
    assert net.inplanes == 16


def test_flattened_is_what_cat_gives_for_any_layout(monkeypatch):
    given = [torch.randn(2, 3), torch.randn(()), torch.randn(4, 5).T,
             torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last)]
    wanted = torch.cat([each.reshape(-1) for each in given])
    one = versions.flattened(given[:1])
    assert torch.equal(one, given[0].reshape(-1))
    assert one.data_ptr() != given[0].data_ptr()  # an array of its own, also of a single tensor
    assert torch.equal(versions.flattened(given), wanted)
    monkeypatch.setattr(torch._C, "_nn", object())
    assert torch.equal(versions.flattened(given), wanted)


def test_every_operators_output_is_seen():
    class Seen(versions.TorchDispatchMode):
        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            seen.extend(versions.tree_leaves(result))
            return result

    seen = []
    with Seen():
        torch.ones(3).split(2)
    assert {tuple(each.shape) for each in seen} == {(3,), (2,), (1,)}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_stream_is_held_up():
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    first.record()
    versions.hold_up(10_000_000)
    last.record()
    last.synchronize()
    assert first.elapsed_time(last) > 1


def test_the_slip_in_the_1f1b_torch_draws_is_mended_only_where_it_is():
    for stages, micro_batches in ((1, 1), (2, 3), (4, 8)):
        last = torch_versions.one_f_one_b(stages, micro_batches)[stages - 1]
        assert [each.microbatch_index for each in last] == sorted([*range(micro_batches)] * 2)
        assert torch_versions.slips(torch_versions.drawn(stages, micro_batches)[stages - 1]) == (
            torch_versions.writes_schedules())
