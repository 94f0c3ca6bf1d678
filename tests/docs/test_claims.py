"""No result is told that the committed data do not bear: every passage names the check of it."""

import re

import pytest

from tests.docs.claims import (
    CHECKS,
    bench,
    drift,
    in_short,
    learning,
    measured,
    network,
    rates,
    studies,
    systems,
    uneven,
)
from tests.docs.claims.passages import Passage, header, numbers, passages
from tests.docs.documents import text_of

# importing them registers their checks
assert all((bench, drift, in_short, learning, measured, network, rates, studies, systems,
            uneven))
RESULTS = "figures/RESULTS.md"
# of other documents the parts that tell results: from one line to the next heading or bold line
PARTS = {"README.md": ("## On GPUs", "What came out, in short"),
         "tests/bench/README.md": ("On two shared cores of an AMD EPYC", "Fifty random problems:")}


def parts(name: str) -> str:
    text = text_of(name)
    found = []
    for start in PARTS[name]:
        _, begin, rest = text.partition(start)
        assert begin, f"{name} has no {start!r}"
        found.append(begin + re.split(r"\n(?=## )", rest)[0])
    return "\n\n".join(found)


def stated() -> list[tuple[str, Passage]]:
    texts = {RESULTS: text_of(RESULTS), **{name: parts(name) for name in PARTS}}
    return [(name, passage) for name, text in texts.items() for passage in passages(text)
            if passage.text.strip() not in header(text)]


@pytest.mark.parametrize(("name", "passage"), [pytest.param(n, p, id=f"{p.check}")
                                               for n, p in stated() if p.check])
def test_a_passage_says_what_its_check_computes(name: str, passage: Passage) -> None:
    assert passage.check in CHECKS, f"{name}: there is no check {passage.check}"
    assert passage.numbers == numbers("\n".join(CHECKS[str(passage.check)]())), passage.text


def test_a_number_without_a_check_is_told_nowhere() -> None:
    bare = [(name, passage.text) for name, passage in stated()
            if not passage.check and passage.numbers]
    assert not bare


def test_what_results_list_is_checked_even_without_a_number() -> None:
    assert not [passage.text for name, passage in stated()
                if name == RESULTS and passage.listed and not passage.check]


def test_every_check_is_of_a_passage() -> None:
    assert sorted(CHECKS) == sorted({passage.check for _, passage in stated() if passage.check})


def test_the_reader_finds_numbers_and_leaves_names_alone() -> None:
    text = ("On an H100 (2026-11-27, `seeds=5`) 1F1B was off by −2.0 to 1,051 % (p < 0.001, 95 % "
            "[0.3, 4]), see [3](a7.md)")
    assert numbers(text) == ["−2.0", "1,051", "0.001", "0.3", "4", "3"]
    found = list(passages("- a 1 <!-- check: x --> b 2\n- c\n\n| 7 | y <!-- check: z --> |\n"))
    assert [(p.check, p.numbers, p.listed) for p in found] == [
        ("x", ["1"], True), (None, ["2"], False), (None, [], True), ("z", ["7"], True)]


def test_a_wrong_number_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CHECKS, "told", lambda: ["0.45 [0.3, 0.7]", "p = 0.012"])
    (right,) = passages("Loss ×0.45 [0.3, 0.7], p = 0.012 <!-- check: told -->")
    assert right.numbers == numbers("\n".join(CHECKS["told"]()))
    (wrong,) = passages("Loss ×0.45 [0.3, 0.7], p = 0.011 <!-- check: told -->")
    assert wrong.numbers != numbers("\n".join(CHECKS["told"]()))
