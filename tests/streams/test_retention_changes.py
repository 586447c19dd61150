"""A change of retention that would delete events says what goes and who has not read it, and asks for the name."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import AuditEntry
from accounts.roles import Role
from streams.log import get_log
from streams.log.protocol import PartitionRef
from streams.lookup import info_of
from streams.models import Stream
from streams.services.retention_changes import (
    GroupLoss,
    PartitionLoss,
    RetentionLoss,
    explain_loss,
    find_retention_loss,
    foresee_retention,
)
from streams.tasks import delete_expired_events
from streams.times import format_time
from tests.client import ApiClient
from tests.factories import make_group, make_key, make_owner, make_stream, make_user
from tests.streams.test_retention import append, earliest, record_earlier, stored_sizes

pytestmark = pytest.mark.usefixtures("db_with_commits")

LOWER = {"retention": {"max_events": 2}}


@pytest.fixture
def api() -> ApiClient:
    """The owner of a stream of five batches of two events, with three groups: one at the end, two behind."""
    owner = make_owner()
    stream = make_stream("orders", owner=owner)
    append(stream, 2, 2, 2, 2, 2)
    client = ApiClient(key=make_key(owner))
    for group, offset in (("done", 10), ("billing", 0), ("mail", 5)):
        make_group(stream, group)
        commit = client.post(f"/streams/orders/consumer-groups/{group}/offsets", {"offset": offset})
        assert commit.status_code == 200, commit.json()
    return client


def limits(client: ApiClient) -> dict[str, int | None]:
    found: dict[str, int | None] = client.get("/streams/orders").json()["retention"]
    return found


def test_lowering_retention_asks_first_and_tells_what_goes(api):
    owned = Stream.objects.get()
    (kept_since,) = get_log().recorded_after([(info_of(owned).partition(0), 8)])
    assert kept_since is not None
    since = format_time(kept_since).decode()

    told = api.patch("/streams/orders?dry_run=true", LOWER)
    assert told.status_code == 200
    assert told.json() == {
        "events_affected": 8,
        "at_least": False,
        "oldest_kept": since,
        "partitions": [
            {"partition": 0, "events_affected": 8, "first_offset": 1, "last_offset": 8, "oldest_kept": since}
        ],
        "groups": [{"name": "billing", "lost": 8}, {"name": "mail", "lost": 3}],
    }

    for query in ("", "?confirm=order", "?dry_run=false"):
        refused = api.patch(f"/streams/orders{query}", {"description": "less", **LOWER})
        assert (refused.status_code, refused.json()["code"]) == (422, "confirmation_missing")
        assert refused.json()["detail"] == (
            f"This deletes 8 events at once, for good; what was recorded since {since} stays."
            " Unread of these: billing 8, mail 3. Confirm with ?confirm=orders."
        )
    assert limits(api)["max_events"] is None
    assert api.get("/streams/orders").json()["description"] == ""
    assert not AuditEntry.objects.filter(action="stream.changed").exists()
    assert delete_expired_events() == 0

    changed = api.patch("/streams/orders?confirm=orders", LOWER)
    assert (changed.status_code, changed.json()["retention"]["max_events"]) == (200, 2)
    assert AuditEntry.objects.get(action="stream.changed").after == {"retention_max_events": 2}
    assert delete_expired_events() == 8


@pytest.mark.parametrize(
    "body",
    [
        {"retention": {"max_events": 10}},
        {"retention": {"max_events": 9}},
        {"retention": {"max_age": 3600}},
        {"retention": {}},
        {"paused": True},
    ],
)
def test_what_deletes_nothing_needs_no_confirmation(api, body):
    told = api.patch("/streams/orders?dry_run=true", body).json()
    assert (told["events_affected"], told["partitions"], told["groups"]) == (0, [], [])
    assert told["oldest_kept"] is not None
    assert api.patch("/streams/orders", body).status_code == 200


def test_a_dry_run_changes_nothing_even_with_the_name(api):
    body = {"description": "other", "paused": True, **LOWER}
    before = api.get("/streams/orders").json()
    assert api.patch("/streams/orders?dry_run=true&confirm=orders", body).json()["events_affected"] == 8
    assert api.get("/streams/orders").json() == before
    assert not AuditEntry.objects.filter(action="stream.changed").exists()


@pytest.mark.parametrize("query", ["dry_run=1", "dry_run=", "dry_run=True"])
def test_a_dry_run_is_true_or_false(api, query):
    refused = api.patch(f"/streams/orders?{query}", LOWER)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_parameter")
    assert limits(api)["max_events"] is None


def test_a_change_that_lowers_no_limit_asks_the_log_nothing(api):
    api.patch("/streams/orders?confirm=orders", LOWER)

    def statements(body: dict[str, object]) -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            assert api.patch("/streams/orders", body).status_code == 200
        return [query["sql"] for query in captured if "bisection" in query["sql"]]

    assert statements({"description": "new", "paused": True}) == []
    assert statements({"retention": {"max_events": 3}}) == []
    assert len(statements({"retention": {"max_events": 3, "max_age": 3600}})) == 2


# --- what goes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", ["age", "bytes", "events"])
def test_what_is_told_is_what_goes_in_each_partition(limit):
    stream = make_stream(partitions=3)
    for partition, sizes in enumerate([(4, 4, 4, 4), (3,), (5, 5, 5)]):
        append(stream, *sizes, partition=partition)
        record_earlier(stream, *(timedelta(hours=len(sizes) - n) for n in range(len(sizes))), partition=partition)
    changes = {
        "age": {"retention_max_age_seconds": 9000},
        "bytes": {"retention_max_bytes": 3 * stored_sizes(stream, 0)[-1]},
        "events": {"retention_max_events": 18},
    }[limit]

    loss = foresee_retention(stream=stream, changes=changes, now=timezone.now())

    assert loss.partitions
    Stream.objects.update(**changes)
    told = {each.partition.number: (each.first_offset, each.last_offset) for each in loss.partitions}
    assert delete_expired_events() == loss.event_count
    gone = {number: (1, first - 1) for number, first in enumerate(earliest(stream)) if first > 1}
    assert told == gone


def test_what_goes_anyway_is_not_told_of_a_change():
    stream = make_stream(retention_max_age_seconds=3600)
    append(stream, 2, 3, 1, 1)
    make_group(stream, "billing")
    now = record_earlier(stream, *(timedelta(minutes=minutes) for minutes in (90, 50, 30, 10)))

    def told(**changes: int | None):
        return find_retention_loss(stream=stream, changes=changes, now=now)

    # Two are beyond the hour already, and wait for the next round.
    assert told(retention_max_age_seconds=3600, retention_max_events=6) is None
    loss = told(retention_max_age_seconds=2400)
    assert loss is not None
    (lane,) = loss.partitions
    assert (lane.first_offset, lane.last_offset) == (3, 5)
    assert loss.kept_since == lane.kept_since == now - timedelta(minutes=30)
    # Of a group that has finished nothing, too, only what the change takes.
    assert loss.groups == (GroupLoss("billing", 3),)


def test_age_may_leave_nothing_and_then_says_so():
    stream = make_stream()
    append(stream, 1)
    now = record_earlier(stream, timedelta(hours=1))
    loss = find_retention_loss(stream=stream, changes={"retention_max_age_seconds": 60}, now=now)
    assert loss is not None
    assert loss.kept_since is None
    assert explain_loss(loss) == "This deletes 1 event at once, for good; nothing stays."


def test_where_not_all_batches_are_weighed_it_is_told_as_at_least():
    stream = make_stream(partitions=2)
    for partition in range(2):
        append(stream, *[2] * 5, partition=partition)
    places = info_of(stream).partitions

    fronts = get_log().foresee_trim(places, keep_bytes=1, max_batches=6)

    assert [(front.first_kept, front.is_cut) for front in fronts.values()] == [(7, True), (7, True)]
    whole = get_log().foresee_trim(places, keep_bytes=1, max_batches=10)
    assert [(front.first_kept, front.is_cut) for front in whole.values()] == [(9, False), (9, False)]


def test_at_least_is_told_in_words_and_five_groups_by_name():
    loss = RetentionLoss(
        partitions=(PartitionLoss(PartitionRef(1, "orders", 0), 1, 2_000, None),),
        kept_since=datetime(2026, 11, 28, 9, tzinfo=UTC),
        is_at_least=True,
        groups=tuple(GroupLoss(f"group-{number}", 2_000 - number) for number in range(7)),
    )
    assert explain_loss(loss) == (
        "This deletes at least 2,000 events at once, for good; what was recorded since 2026-11-28T09:00:00.000000Z"
        " stays. Unread of these: group-0 2,000, group-1 1,999, group-2 1,998, group-3 1,997, group-4 1,996,"
        " 2 more groups."
    )


def test_where_it_is_not_known_what_goes_anyway_all_of_it_is_told(monkeypatch):
    stream = make_stream(retention_max_bytes=1)
    append(stream, *[2] * 5)
    foresee = get_log().foresee_trim
    monkeypatch.setattr(get_log(), "foresee_trim", partial(foresee, max_batches=2))

    loss = foresee_retention(stream=stream, changes={"retention_max_events": 2}, now=timezone.now())

    assert loss.is_at_least
    assert [(each.first_offset, each.last_offset) for each in loss.partitions] == [(1, 8)]


def test_the_admin_refuses_and_says_where_it_is_asked_for(api):
    admin = Client()
    admin.force_login(make_user(Role.ADMIN), "django.contrib.auth.backends.ModelBackend")
    stream = Stream.objects.get()
    address = reverse("admin:streams_stream_change", args=[stream.pk])
    data = {"owner": stream.owner_id, "visibility": "internal", "labels": "{}", "validation": "off"}
    data |= {"grants-TOTAL_FORMS": "0", "grants-INITIAL_FORMS": "0"}

    refused = admin.post(address, data | {"retention_max_events": "2", "description": "less"})
    assert refused.status_code == 200
    page = refused.content.decode()
    assert "This deletes 8 events at once" in page
    assert "settings page in the dashboard" in page
    stream.refresh_from_db()
    assert (stream.retention_max_events, stream.description) == (None, "")

    assert admin.post(address, data | {"retention_max_events": "10", "description": "less"}).status_code == 302
    stream.refresh_from_db()
    assert (stream.retention_max_events, stream.description) == (10, "less")
