"""`EVENTFLOW_ENGINES`: what it may say, and that a slip of the pen stops the start without showing what was said."""

import json

import pytest
from django.core.exceptions import ImproperlyConfigured

from eventflow_site.environment import engines

NAME = "EVENTFLOW_ENGINES"


def test_unset_or_empty_there_is_none(monkeypatch):
    monkeypatch.delenv(NAME, raising=False)
    assert engines(NAME) == {}
    monkeypatch.setenv(NAME, " ")
    assert engines(NAME) == {}


def test_each_alias_has_a_module_and_options(monkeypatch):
    given = {"kafka-main": {"ENGINE": "streams.log.kafka", "OPTIONS": {"readers": 4}}, "other": {"ENGINE": "a.b"}}
    monkeypatch.setenv(NAME, json.dumps(given))
    assert engines(NAME) == given | {"other": {"ENGINE": "a.b", "OPTIONS": {}}}


@pytest.mark.parametrize(
    "given",
    [
        "secret{",
        '["secret"]',
        '{"Secret": {"ENGINE": "a"}}',
        '{"postgres": {"ENGINE": "secret"}}',
        '{"main": {"OPTIONS": {"password": "secret"}}}',
        '{"main": {"ENGINE": "secret", "options": {}}}',
        '{"main": {"ENGINE": "a", "OPTIONS": ["secret"]}}',
        '{"%s": {"ENGINE": "secret"}}' % ("a" * 33),
        '{"main": "secret"}',
    ],
)
def test_what_is_of_no_use_stops_the_start_and_is_not_shown(monkeypatch, given):
    monkeypatch.setenv(NAME, given)
    with pytest.raises(ImproperlyConfigured, match=f"^{NAME} is") as refusal:
        engines(NAME)
    assert "secret" not in str(refusal.value).lower()
