"""Experiment files: read with settings on top; one problem where they cannot be read."""

import pytest

from sim.errors import ConfigurationError
from sim.experiment.configuration import read_experiment
from sim.experiment.making import make_mitigation
from sim.experiment.options import Experiment


def test_a_file_is_read_with_its_settings(tmp_path):
    file = tmp_path / "e.toml"
    file.write_text('[pipeline]\nstages = 4\nmitigation = { name = "i-timeprest", decay = 2 }\n')
    experiment = read_experiment(file, ["stages=5", "training.seed=3"])
    assert experiment.pipeline.stages == 5
    assert experiment.training.seed == 3
    assert make_mitigation(experiment.pipeline.mitigation).decay == 2.0
    assert read_experiment(None) == Experiment()


@pytest.mark.parametrize(("content", "said"), [
    (b"[pipeline", "not TOML"), (b"\xff\xfe", "not a UTF-8 text file"),
    (b"[pipeline]\nstages = 0\n", "pipeline.stages"),
    (b"x = " + b"[" * 10_000, "e.toml"),
    (b"x = " + b"9" * 10_000, "e.toml"),
])
def test_a_file_that_cannot_be_read_is_one_problem(tmp_path, content, said):
    (tmp_path / "e.toml").write_bytes(content)
    with pytest.raises(ConfigurationError, match=said):
        read_experiment(tmp_path / "e.toml")


def test_a_missing_file_or_a_folder_is_one_problem(tmp_path):
    for path, said in ((tmp_path / "none.toml", "there is no such file"),
                       (tmp_path, "is a folder, not a file to read")):
        with pytest.raises(ConfigurationError, match=said) as caught:
            read_experiment(path)
        assert len(caught.value.problems) == 1
