"""Each way to misconfigure is said before anything runs."""

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from eventflow_django import consumer


def ids() -> set[str]:
    return {message.id for message in run_checks() if message.id.startswith("eventflow_django")}


def test_the_example_is_configured_well():
    assert ids() == set()


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({"ULR": "http://x"}, "eventflow_django.E001"),
        ({"DATABASE": "other"}, "eventflow_django.E002"),
        ({"DATABASE": None}, "eventflow_django.E002"),
        ({"BATCH_EVENTS": 1001}, "eventflow_django.E003"),
        ({"BATCH_EVENTS": "100"}, "eventflow_django.E003"),
        (None, "eventflow_django.E004"),
        ({"URL": "localhost:8000"}, "eventflow_django.E005"),
        ({"BATCH_BYTES": 0}, "eventflow_django.E005"),
        ({"ATTEMPT_SECONDS": "5"}, "eventflow_django.E005"),
        ({"PAUSE_SECONDS": float("nan")}, "eventflow_django.E005"),
    ],
)
def test_what_is_wrong_is_named(settings, setting, expected):
    settings.EVENTFLOW = setting
    assert ids() == {expected}


def test_a_key_of_another_kind_is_named_and_not_told(settings):
    settings.EVENTFLOW = {"KEY": b"evf_secret"}
    (message,) = (each for each in run_checks() if each.id == "eventflow_django.E005")
    assert "bytes" in message.msg
    assert "evf_" not in str(message)


def test_without_a_key_nothing_can_be_sent(monkeypatch):
    monkeypatch.delenv("EVENTFLOW_KEY")
    assert ids() == {"eventflow_django.W001"}


def test_a_group_has_one_handler():
    with pytest.raises(ImproperlyConfigured, match="a group has one handler"):

        @consumer("invoices", stream="orders")
        def another(event) -> None:
            pass


def test_batches_are_not_marked_by_themselves():
    with pytest.raises(ImproperlyConfigured, match="process_once"):
        consumer("g", stream="s", once=True, batches=True)


def test_a_consumer_that_is_not_there_is_named():
    with pytest.raises(CommandError, match=r"Nobody consumes as orders/nobody; there are: orders/invoices"):
        call_command("consume", "orders/nobody")
