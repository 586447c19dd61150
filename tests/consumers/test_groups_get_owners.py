"""Installations from before groups had owners: each group goes to the owner of its stream."""

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from accounts.roles import Role
from consumers.models import ConsumerGroup
from streams.log import close_log
from tests.conftest import end_other_sessions
from tests.connection_pool import close_pool
from tests.factories import make_group, make_stream, make_user

pytestmark = [pytest.mark.usefixtures("db_with_commits"), pytest.mark.slow("migrates back and forth")]
BEFORE = "0005_bulk_actions_know_their_request"


@pytest.fixture
def old_schema(db_with_commits) -> Iterator[None]:
    ada, bob = (make_user(Role.PRODUCER, email=f"{name}@example.com") for name in ("ada", "bob"))
    make_group(make_stream("orders", owner=ada), "billing")
    make_group(make_stream("bookings", owner=bob), "billing")
    # A migration locks whole tables, and gives up where a thread that an earlier test left behind still holds one.
    close_log()
    close_pool()
    end_other_sessions()
    call_command("migrate", "consumers", BEFORE, verbosity=0)
    try:
        yield
    finally:
        call_command("migrate", verbosity=0)


def test_a_group_goes_to_the_owner_of_its_stream(old_schema):
    state = MigrationLoader(connection).project_state(("consumers", BEFORE))
    old = state.apps.get_model("consumers", "ConsumerGroup")
    assert not hasattr(old, "owner")
    assert old.objects.count() == 2

    call_command("migrate", verbosity=0)

    owners = dict(ConsumerGroup.objects.values_list("stream__name", "owner__email"))
    assert owners == {"orders": "ada@example.com", "bookings": "bob@example.com"}
