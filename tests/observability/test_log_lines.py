"""Log lines: one JSON object each, with the request's id, without secrets, safe to look at."""

import json
import logging
import sys

import pytest
import structlog
from structlog.contextvars import bound_contextvars

from accounts.key_material import make_key
from observability.telemetry.log_format import json_formatter, pretty_formatter

HOSTILE = ["\x1b[2J\x1b[H", "line\nbreak", "carriage\rreturn", "\u202egnp.exe", "\x9b31m", "\u2028", "\x00", "\ud800"]


def record(message, *args, level=logging.INFO, exc_info=None, **extra):
    return logging.getLogger("test").makeRecord("test", level, __file__, 1, message, args, exc_info, extra=extra)


def as_json(made) -> dict:
    line = json_formatter().format(made)
    assert "\n" not in line
    assert line.isprintable()
    return json.loads(line)


def test_a_line_is_one_json_object_with_time_level_logger_and_text():
    line = as_json(record("stored %d events", 3, stream="orders"))

    assert line["event"] == "stored 3 events"
    assert line["level"] == "info"
    assert line["logger"] == "test"
    assert line["stream"] == "orders"
    assert line["timestamp"].endswith("Z")


def test_a_line_carries_the_id_of_the_request_that_it_belongs_to():
    with bound_contextvars(request_id="request-1"):
        assert as_json(record("hello"))["request_id"] == "request-1"
    assert "request_id" not in as_json(record("hello"))


@pytest.mark.parametrize("text", HOSTILE)
def test_control_characters_are_escaped_wherever_they_stand(text):
    line = as_json(record("seen: %s", text, path=f"/{text}"))

    assert line["event"].startswith("seen: ")
    assert line["path"].startswith("/")


@pytest.mark.parametrize("text", HOSTILE)
def test_control_characters_are_escaped_in_a_terminal_too(text):
    plain = pretty_formatter().format(record("seen: %s", text, path=f"/{text}"))

    assert text not in plain
    assert "\n" not in plain


def test_a_traceback_is_one_line_of_json():
    try:
        raise ValueError("bad\nnews")
    except ValueError:
        line = as_json(record("failed", exc_info=sys.exc_info(), level=logging.ERROR))

    assert "ValueError: bad\nnews" in line["exception"]


def test_secrets_are_blanked_by_their_form():
    key, material = make_key()
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"

    line = json_formatter().format(
        record(
            "key %s", key, token=f"Bearer {token}", url="postgresql://eventflow:hunter2@db/eventflow", nested={"k": key}
        )
    )

    assert key not in line
    assert material.key_id in line, "the public id stays, so that the key can be found"
    assert "c2lnbmF0dXJl" not in line
    assert "eyJzdWIiOiIxIn0" not in line
    assert "hunter2" not in line
    assert "[redacted]" in line


@pytest.mark.parametrize("name", ["password", "new_password", "secret", "HTTP_AUTHORIZATION", "cookie", "api_key"])
def test_secrets_are_blanked_by_their_name(name):
    assert as_json(record("hello", **{name: "hunter2"}))[name] == "[redacted]"


def test_secrets_in_a_traceback_are_blanked():
    key, _ = make_key()
    try:
        raise ValueError(f"no such key: {key}")
    except ValueError:
        line = json_formatter().format(record("failed", exc_info=sys.exc_info()))

    assert key not in line


def test_what_json_cannot_hold_is_shown_as_text():
    line = as_json(record("hello", thing=object(), big=2**70, bad="\ud800"))

    assert line["thing"].startswith("<object object")
    assert str(line["big"]) == str(2**70)


def test_structlog_lines_look_the_same(caplog):
    with caplog.at_level(logging.INFO):
        structlog.get_logger("observability.test").info("rolled_up", minutes=3)

    line = as_json(caplog.records[-1])
    assert line["event"] == "rolled_up"
    assert line["minutes"] == 3
    assert line["logger"] == "observability.test"
