"""Citations of the reference lead somewhere, and its formulas give what the code gives."""

import re

import pytest

from sim.schedules import SCHEDULES
from tests.docs.documents import ROOT, text_of

SECTIONS = dict(re.findall(r"^## (\d+)\. (.*)$", text_of("sim/REFERENCE.md"), re.M))
CITED = re.compile(r"REFERENCE\s+(?:#\s+)?sections?\s+([\d, and]+)")
SOURCES = [path for room in ("sim", "gpu", "analysis", "figures", "tests")
           for path in sorted((ROOT / room).rglob("*.py")) if path.parent.name != "docs"]


def citations() -> list[tuple[str, str]]:
    return [(str(path.relative_to(ROOT)), number) for path in SOURCES
            for found in CITED.findall(path.read_text(encoding="utf-8"))
            for number in re.findall(r"\d+", found)]


def test_every_section_cited_in_code_exists() -> None:
    assert list(SECTIONS) == [str(number) for number in range(1, len(SECTIONS) + 1)]
    found = citations()
    assert len(found) >= 8
    for place, number in found:
        assert number in SECTIONS, f"{place} cites section {number}"


def test_every_mention_in_code_names_a_section() -> None:
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        mentions = re.findall(r"\bREFERENCE\b(?!\.md)", text)
        assert len(mentions) == len(CITED.findall(text)), path


@pytest.mark.parametrize("column", ["mitigation", "schedule"])
def test_tables_of_sim_name_everything_that_is_registered(column) -> None:
    from sim.mitigations import MITIGATIONS

    names = (MITIGATIONS if column == "mitigation" else SCHEDULES).names()
    text = text_of("sim/README.md")
    (table,) = re.findall(rf"^\| {column} \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.M)
    listed = [name for row in table.splitlines() for name in re.findall(r"`([^`]+)`",
                                                                       row.split("|")[1])]
    assert sorted(listed) == sorted(names)


def test_systems_and_tasks_of_sim_are_all_listed() -> None:
    from sim.experiment.systems import SYSTEMS
    from sim.numerics.tasks import TASKS

    text = text_of("sim/README.md")
    for name in (*SYSTEMS.names(), *TASKS.names()):
        assert f"`{name}`" in text, name


def test_rooms_of_each_package_are_all_told_of() -> None:
    for package in ("sim", "gpu", "analysis", "figures"):
        rooms = {path.name for path in (ROOT / package).iterdir()
                 if (path / "__init__.py").exists()}
        for room in sorted(rooms):
            assert f"`{room}/`" in text_of(f"{package}/README.md"), f"{package}/{room}"


def test_choices_are_marked_alike_in_code_and_reference() -> None:
    """Whatever `sim list` marks as our reading stands in section 9."""
    section = text_of("sim/REFERENCE.md").split("## 9.")[1].split("## 10.")[0]
    for word in ("NWPT", "V-TiMePReSt", "I-TiMePReSt", "HetPipe", "BMUF", "data parallelism",
                 "pipeline-split", "greedy dispatch", "SpecTrain"):
        assert word in section
