"""`sim keys` and `sim init`: every key is told, and what is told is so."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from sim.__main__ import main
from sim.commands.keys import chosen
from sim.errors import ConfigurationError
from sim.experiment.configuration import read_experiment
from sim.experiment.keys.listing import every_key
from sim.experiment.keys.template import template
from sim.experiment.options import resolve
from sim.experiment.tables import Tables
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from tests.sim.fitting import fitted

pytestmark = pytest.mark.filterwarnings("error")
KEYS = {key.key: key for key in every_key()}
BESIDE = {"pipeline.ranks": {"schedule": "file"}, "pipeline.replicas": {"schedule": "hybrid"},
          "pipeline.round_size": {"schedule": "interleaved", "microbatches": 4},
          "pipeline.splits": {"schedule": "seq1f1b", "microbatches": 4},
          "costs.microbatch_scale": {"microbatches": 4}}  # what an example of a key wants beside it
README = Path(__file__).parents[2] / "sim/README.md"


def call(*arguments, columns=80):
    result = CliRunner().invoke(main, [str(each) for each in arguments],
                                env={"COLUMNS": str(columns)})
    assert result.exit_code == 0, result.output
    return result.output


def test_every_key_of_every_table_is_told_with_its_default():
    told = {key.key: key.default for key in KEYS.values() if key.key.count(".") == 1}
    assert told == {f"{table}.{name}": json.loads(json.dumps(value)) for table, values in
                    Tables().model_dump(mode="json").items() for name, value in values.items()}
    assert [k for k in KEYS if k.count(".") == 2] == [
        "costs.jitter.sigma", "costs.stragglers.stage", "costs.stragglers.from_s",
        "costs.stragglers.to_s", "costs.stragglers.factor", "costs.trends.stage",
        "costs.trends.from_s", "costs.trends.to_s", "costs.trends.factor", "cluster.tied.stages",
        "cluster.tied.size_bytes", "training.rate_schedule.name",
        "training.rate_schedule.every", "training.rate_schedule.factor",
        "training.rate_schedule.warmup", "tensor.transformer.heads",
        "tensor.transformer.sequence", "tensor.transformer.hidden"]


@pytest.mark.parametrize(("key", "kind", "choices", "unit"), [
    ("pipeline.stages", "whole number from 1 to 4096", (), ""),
    ("pipeline.backward", "name", ("graph", "recompute"), ""),
    ("pipeline.in_flight", "whole number from 1", (), ""),
    ("costs.forward_s", "number from 0 or a list of them", (), "s"),
    ("costs.jitter", "table", (), ""), ("costs.stragglers", "list of tables", (), ""),
    ("cluster.bandwidth_bytes_per_s", "number above 0 or a list of them", (), "bytes/s"),
    ("training.curvatures", "list of numbers above 0", (), ""),
    ("training.distances", "true or false", (), ""),
    ("training.optimizer", "name or table", ("adam", "momentum"), ""),
    ("training.rate_schedule.factor", "number above 0 to 1", (), ""),
])
def test_what_a_key_takes_is_read_off_its_checks(key, kind, choices, unit):
    found = KEYS[key]
    assert (found.type, found.choices, found.unit) == (kind, choices, unit)


@pytest.mark.parametrize("key", KEYS)
def test_numbers_have_units_and_names_are_taken(key):
    found = KEYS[key]
    assert found.meaning
    seconds = key.endswith("_s") and not key.endswith("bytes_per_s")
    assert (found.unit == "s") == seconds
    assert found.unit.startswith("bytes") == ("bytes" in key)
    for name in found.choices:
        table = "schedule=nf1b" if name in ("timeprest", "v-timeprest") else "seed=0"
        size = fitted(name, PipelineShape(3, 6, 4)) if key == "pipeline.schedule" else (
            PipelineShape(3, 6, 4))
        asked = [f"{each}={value}" for each, value in size.as_dict().items()]
        read_experiment(None, [table, *asked, f"batch_size={size.microbatches}", f"{key}={name}"])


def test_the_file_to_begin_with_is_the_default_experiment():
    document = tomllib.loads(template())
    assert resolve(document) == resolve({})
    assert set(document) == set(Tables.model_fields)
    text = template()
    for key in KEYS.values():
        if key.table in document:
            assert f"\n{key.name} = " in text or f"\n# {key.name} = {key.example}" in text
    assert max(map(len, text.splitlines())) <= 100


def test_no_key_that_means_more_than_its_value_stands_in_the_file():
    """A latency that is given wins over a profile's, so it is left out until it is wanted."""
    assert "latency_s" not in tomllib.loads(template())["cluster"]


@pytest.mark.parametrize("key", [key for key in KEYS.values() if key.example],
                         ids=lambda key: key.key)
def test_every_example_of_the_file_may_be_taken(key):
    text = template().replace(f"\n# {key.name} = ", f"\n{key.name} = ")
    assert text != template()
    for name, value in BESIDE.get(key.key, {}).items():
        text = re.sub(f"^{name} = [^ ]*", f"{name} = {json.dumps(value)}", text, flags=re.M)
    assert key.name in resolve(tomllib.loads(text)).document()[key.table]


def test_the_readme_shows_the_file():
    assert f"```toml\n{template()}```" in README.read_text(encoding="utf-8")


def test_init_writes_a_file_that_runs_and_never_writes_over_one(tmp_path):
    file = tmp_path / "mine.toml"
    assert call("init") == template()
    assert f"python -m sim run {file}" in call("init", file).replace("\n", "")
    assert file.read_text(encoding="utf-8") == template()
    found = json.loads(call("run", file, "--set", "task=none", "--json"))
    assert found["makespan_s"] == 2 * 60 + 4
    file.write_text("mine")
    result = CliRunner().invoke(main, ["init", str(file)])
    assert result.exit_code == 2
    assert "is there already" in result.output
    assert file.read_text() == "mine"


def test_keys_in_json_have_everything():
    found = json.loads(call("keys", "--json"))
    assert [each["key"] for each in found] == list(KEYS)
    assert found[0] == {
        "key": "pipeline.schedule", "type": "name", "choices": SCHEDULES.names(),
        "unit": None, "default": "round-robin", "required": False, "unset": None,
        "meaning": "order of the passes"}


@pytest.mark.parametrize("columns", [80, 200])
def test_the_list_fits_the_screen_and_cuts_nothing(columns):
    lines = call("keys", columns=columns).splitlines()
    assert max(map(len, lines)) <= columns
    text = " ".join(" ".join(lines).split())
    assert "…" not in text
    for key in KEYS.values():
        assert key.key.partition(".")[2] in text
    for words in ("mini-batches of the run", "whole number from 1 to 4096", "bytes/s"):
        assert words in text


@pytest.mark.parametrize(("asked", "found"), [
    ("stages", ["pipeline.stages"]), ("pipeline.stages", ["pipeline.stages"]),
    ("jitter", ["costs.jitter", "costs.jitter.sigma"]),
    ("rate_schedule.every", ["training.rate_schedule.every"]),
    ("workers", [key for key in KEYS if key.startswith("workers.")]),
])
def test_a_table_or_key_can_be_asked_for(asked, found):
    assert [key.key for key in chosen(every_key(), (asked,))] == found


def test_a_key_there_is_not_is_refused_with_the_nearest():
    with pytest.raises(ConfigurationError) as error:
        chosen(every_key(), ("stagez", "piplin"))
    assert [line.partition(";")[0] for line in error.value.problems] == [
        "table or key 'stagez' is unknown (did you mean stages?)",
        "table or key 'piplin' is unknown (did you mean pipeline?)"]
