"""The issue forms and the citation are what GitHub reads; PyYAML comes with the extra `cluster`."""

import pytest

import sim
from tests.docs.documents import ROOT, text_of

FORMS = sorted(path.name for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")
               if path.name != "config.yml")
yaml = pytest.importorskip("yaml")


def read(name: str):
    return yaml.safe_load(text_of(name))


@pytest.mark.parametrize("name", FORMS)
def test_a_form_asks_for_what_it_needs(name) -> None:
    form = read(f".github/ISSUE_TEMPLATE/{name}")
    assert set(form) == {"name", "description", "labels", "body"}
    ids = [field["id"] for field in form["body"]]
    assert len(set(ids)) == len(ids)
    for field in form["body"]:
        assert field["type"] in ("input", "textarea", "dropdown")
        assert field["attributes"]["label"]
        assert (field["type"] == "dropdown") == ("options" in field["attributes"])
    assert any(field.get("validations", {}).get("required") for field in form["body"])


def test_there_is_a_form_for_each_kind_of_issue() -> None:
    assert FORMS == ["bug.yml", "new-method.yml", "wrong-value.yml"]
    assert read(".github/ISSUE_TEMPLATE/config.yml") == {"blank_issues_enabled": True}


def test_the_citation_names_this_version() -> None:
    citation = read("CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == sim.__version__
    assert {"message", "title", "authors", "license"} <= set(citation)
    assert f"## [{sim.__version__}]" in text_of("CHANGELOG.md")
