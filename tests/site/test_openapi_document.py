"""The reference for machines: made once, told again only to whom it is news."""

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import spectacular_settings

from eventflow_site.api import openapi_page

ADDRESS = "/api/v1/openapi.json"


@pytest.fixture(autouse=True)
def made_anew():
    """No document is left from another test, and none of this one's for the next."""
    openapi_page._make_reference.cache_clear()
    yield
    openapi_page._make_reference.cache_clear()


@pytest.fixture
def makings(monkeypatch):
    """How often the document was made."""
    makings = []
    make = SchemaGenerator.get_schema

    def counted(generator, *args, **kwargs):
        makings.append(1)
        return make(generator, *args, **kwargs)

    monkeypatch.setattr(SchemaGenerator, "get_schema", counted)
    return makings


def ask(**headers):
    return Client().get(ADDRESS, headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_it_is_made_once_for_everybody(makings):
    first, second = ask(), ask(Host="127.0.0.1:9000", Accept="application/json", X_API_Key="none")
    assert len(makings) == 1
    assert first.content == second.content
    assert first.json()["openapi"].startswith("3.0")
    assert "/api/v1/streams/{stream}/events" in first.json()["paths"]


def test_a_query_makes_it_no_other_document(makings):
    assert Client().get(ADDRESS + "?version=9&lang=de&format=yaml").content == ask().content
    assert len(makings) == 1


def test_who_has_it_is_told_so_without_it():
    whole = ask()
    assert whole["Cache-Control"] == "no-cache"
    for known in (whole["ETag"], f'"other", {whole["ETag"]}', f"W/{whole['ETag']}"):
        answer = ask(If_None_Match=known)
        assert (answer.status_code, answer.content, answer["ETag"]) == (304, b"", whole["ETag"])
        assert answer["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("known", ['"other"', "*/*", '"', "", 'W/"other"'])
def test_who_has_another_one_is_sent_this_one(known):
    answer = ask(If_None_Match=known)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/vnd.oai.openapi+json")
    assert not answer["ETag"].startswith("W/")


def test_another_document_has_another_tag(monkeypatch):
    before = ask()["ETag"]
    openapi_page._make_reference.cache_clear()
    assert ask()["ETag"] == before, "the same document, made again"
    openapi_page._make_reference.cache_clear()
    monkeypatch.setattr(spectacular_settings, "TITLE", "EventFlow, changed")
    assert ask()["ETag"] != before
    assert ask(If_None_Match=before).status_code == 200


def test_no_other_method_is_possible():
    answer = Client().post(ADDRESS)
    assert (answer.status_code, answer["Allow"], answer.json()["code"]) == (405, "GET, HEAD", "method_not_allowed")
