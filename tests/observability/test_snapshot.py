"""Numbers that are shown together are of one moment, and whoever comes after is not bound by it."""

import threading

import pytest
from django.db import InternalError, connection, transaction

from observability.numbers.snapshot import one_snapshot
from streams.models import Stream
from tests.factories import make_stream

pytestmark = pytest.mark.usefixtures("db_with_commits")


def rename_elsewhere(name: str) -> None:
    """Commit a change on another connection."""

    def rename() -> None:
        Stream.objects.update(description=name)
        connection.close()

    thread = threading.Thread(target=rename)
    thread.start()
    thread.join()


def description() -> str:
    return Stream.objects.values_list("description", flat=True).get()


def test_what_is_committed_meanwhile_is_not_seen():
    make_stream(description="before")
    with one_snapshot():
        assert description() == "before"
        rename_elsewhere("after")
        assert description() == "before"
    assert description() == "after"


def test_afterwards_the_connection_is_as_it_was():
    make_stream(description="before")
    with one_snapshot():
        description()
    with transaction.atomic():
        assert description() == "before"
        rename_elsewhere("after")
        assert description() == "after", "each statement looks anew"
        Stream.objects.update(description="last")
    assert description() == "last"


def test_nothing_can_be_written_in_it_and_a_failure_in_it_leaves_nothing_behind():
    make_stream(description="before")
    with pytest.raises(InternalError, match="read-only"), one_snapshot():
        Stream.objects.update(description="after")
    Stream.objects.update(description="last")
    assert description() == "last"


def test_within_a_transaction_that_is_under_way_it_changes_nothing():
    make_stream(description="before")
    with transaction.atomic(), one_snapshot():
        Stream.objects.update(description="after")
    assert description() == "after"
