"""The README's own examples: the toy schedule and mitigation are run exactly as printed."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[1].joinpath("README.md").read_text()
BLOCKS = re.findall(r"```python\n# (sim/\w+/\w+\.py)\n(.*?)```", README, re.DOTALL)

RUN = """
import sys, sim.schedules, sim.mitigations
sim.schedules.__path__.append(sys.argv[1] + "/schedules")
sim.mitigations.__path__.append(sys.argv[1] + "/mitigations")
from sim.__main__ import main
main(sys.argv[2:])
"""


def test_toy_schedule_and_mitigation_run_as_printed(tmp_path) -> None:
    for place, code in BLOCKS:
        path = tmp_path / Path(place).relative_to("sim")
        path.parent.mkdir(exist_ok=True)
        path.write_text(code)
    assert [place for place, _ in BLOCKS] == ["sim/schedules/patient.py",
                                              "sim/mitigations/damped.py"]
    (line,) = re.findall(r"^python -m sim (compare --set schedule=patient .*)$", README, re.M)
    done = subprocess.run([sys.executable, "-c", RUN, str(tmp_path), *shlex.split(line), "--json"],
                          capture_output=True, text=True, check=True)
    plain, damped, elsewhere = json.loads(done.stdout)
    assert plain["schedule"] == damped["schedule"] == "patient"
    assert damped["mitigation"] == "damped(strength=0.5)"
    assert plain["staleness"]["forward"] == [0.5, 0.5, 0.5]
    assert elsewhere["staleness"]["backward"] == [2, 1, 0]
    assert plain["final_loss"] != damped["final_loss"]


def test_configuration_shown_is_the_default_one() -> None:
    import tomllib

    from sim.experiment.configuration import resolve
    from sim.experiment.options import Experiment

    (block,) = [b for b in re.findall(r"```toml\n(.*?)```", README, re.DOTALL) if "[pipeline]" in b]
    assert resolve(tomllib.loads(block)).model_dump() == Experiment().model_dump()
    commented = re.sub(r"^# (?=[a-z_]+ =)", "", block, flags=re.M)
    document = tomllib.loads(commented.replace('profile = "profile.json"', ""))
    resolve(document | {"pipeline": document["pipeline"] | {"stages": 2}})


def test_the_sweep_shown_is_one(tmp_path) -> None:
    """Both forms: the grid as it stands, and the random search of its comment."""
    from analysis.sweep.reading import read_sweep

    (block,) = [b for b in re.findall(r"```toml\n(.*?)```", README, re.DOTALL) if "[grid]" in b]
    (tmp_path / "base.toml").write_text("[pipeline]\nminibatches = 4\n")
    grid, comment = block.split("# or instead of [grid]:\n")
    top = grid.split("[grid]")[0]
    for name, text in (("grid", grid), ("random", top + re.sub(r"^# ", "", comment, flags=re.M))):
        (tmp_path / f"{name}.toml").write_text(text)
    assert len(read_sweep(tmp_path / "grid.toml")) == 6
    assert len(read_sweep(tmp_path / "random.toml")) == 200


def test_every_command_of_the_readme_is_one(tmp_path) -> None:
    """Commands and options exist: each door parses its line with --help added."""
    lines = re.findall(r"^python -m (sim|analysis|figures) ([^#\n]*)", README, re.M)
    assert len(lines) > 6
    for room, rest in lines:
        arguments = shlex.split(rest)
        command = arguments[:1] if room != "figures" else []
        shown = subprocess.run([sys.executable, "-m", room, *command, "--help"],
                               capture_output=True, text=True, check=True).stdout
        for option in (a for a in arguments if a.startswith("--")):
            assert option in shown, (room, rest)
