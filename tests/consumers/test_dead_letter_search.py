"""Looking for dead letters by time and text: exactly those, a bounded piece at a time."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from consumers import dead_letter_search
from consumers.dead_letter_search import DeadLetterFilter, look_through, narrow
from consumers.models import BulkKind, DeadLetter
from consumers.services.dead_letters import bulk
from consumers.services.dead_letters.bulk import continue_bulk_actions, preview_bulk_action, start_bulk_action
from tests.consumers.leases import make_lease_group
from tests.factories import make_dead_letter

pytestmark = pytest.mark.usefixtures("db_with_commits")
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


def look(wanted: DeadLetterFilter, *, most_found: int = 100, most_looked_at: int = 100) -> dead_letter_search.Look:
    letters = DeadLetter.objects.order_by("-pk")
    return look_through(letters, wanted, most_found=most_found, most_looked_at=most_looked_at)


def offsets_of(found: dead_letter_search.Look) -> list[int]:
    places = dict(DeadLetter.objects.values_list("pk", "offset"))
    return [places[each.id] for each in found.found]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"last_error": "Timeout after 31 ms"}, "timeout AFTER"),
        ({"last_error": "müşteri Çelik yok"}, "çelik"),
        ({"last_error": "no such customer: STRASSE"}, "straße"),
        ({"last_error": "100 % of _all_ failed"}, "0 % of _"),
        ({"event_type": "Order.Created"}, "order.c"),
        ({"event_id": "018F-abc"}, "018f-ABC"),
        ({"event_key": "customer-7"}, "mer-7"),
    ],
)
def test_a_text_is_found_as_it_reads(fields, text):
    group = make_lease_group()
    make_dead_letter(group, 1, **fields)
    make_dead_letter(group, 2, last_error="something else")

    assert offsets_of(look(DeadLetterFilter(text=text))) == [1]


def test_a_wildcard_is_a_character_like_any_other():
    group = make_lease_group()
    make_dead_letter(group, 1, last_error="abc")
    assert offsets_of(look(DeadLetterFilter(text="a%c"))) == []


def test_a_text_does_not_run_from_one_field_into_the_next():
    make_dead_letter(make_lease_group(), 1, event_type="order", event_id="7")
    assert offsets_of(look(DeadLetterFilter(text="order7"))) == []


def test_since_is_included_and_until_is_not():
    group = make_lease_group()
    for offset in (1, 2, 3):
        make_dead_letter(group, offset, created_at=NOON + timedelta(hours=offset))
    hours = [NOON + timedelta(hours=offset) for offset in (1, 2, 3)]

    assert offsets_of(look(DeadLetterFilter(since=hours[0], until=hours[2]))) == [2, 1]
    assert offsets_of(look(DeadLetterFilter(since=hours[2]))) == [3]
    assert offsets_of(look(DeadLetterFilter(until=hours[0]))) == []


def test_a_look_says_how_far_it_came_and_pieces_find_all_once():
    group = make_lease_group()
    for offset in range(1, 13):
        make_dead_letter(group, offset, last_error="rare" if offset in (2, 3, 11) else "common")
    wanted = DeadLetterFilter(text="RARE")
    letters = DeadLetter.objects.order_by("-pk")

    first = look_through(letters, wanted, most_found=10, most_looked_at=5)
    assert (offsets_of(first), first.looked_at, first.is_end) == ([11], 5, False)
    second = look_through(letters.filter(pk__lt=first.reached), wanted, most_found=1, most_looked_at=5)
    # It ends at what it found: what was not looked at is for the next.
    assert (offsets_of(second), second.looked_at, second.is_end) == ([3], 5, False)
    third = look_through(letters.filter(pk__lt=second.reached), wanted, most_found=10, most_looked_at=5)
    assert (offsets_of(third), third.looked_at, third.is_end) == ([2], 2, True)
    nothing = look_through(letters.filter(pk__lt=third.reached), wanted, most_found=10, most_looked_at=5)
    assert (nothing.found, nothing.reached, nothing.is_end) == ([], None, True)


@pytest.mark.parametrize("text", [None, "e"])
def test_exactly_as_many_as_there_are_is_the_end(text):
    group = make_lease_group()
    for offset in (1, 2, 3):
        make_dead_letter(group, offset, last_error="e")
    for most, is_end in ((2, False), (3, True), (4, True)):
        assert look(DeadLetterFilter(text=text), most_found=most).is_end is is_end


@pytest.mark.parametrize("kind", BulkKind)
def test_a_bulk_action_takes_those_that_have_the_text_and_no_others(kind, monkeypatch):
    monkeypatch.setattr(bulk, "BULK_STEP_LOOKED_AT", 3)
    monkeypatch.setattr(bulk, "SEARCH_DEAD_LETTERS", 4)
    group = make_lease_group()
    for offset in range(1, 11):
        make_dead_letter(group, offset, last_error="Çelik" if offset % 3 == 1 else "else")
    wanted = DeadLetterFilter(text="çelik")

    preview = preview_bulk_action(kind=kind, groups=[group], wanted=wanted)
    assert (preview.count, preview.is_exact) == (2, False)
    action = start_bulk_action(kind=kind, groups=[group], wanted=wanted, requested_by="an operator")
    assert (action.total_count, action.is_total_exact, action.status) == (2, False, "running")
    # Nothing that died later is touched.
    make_dead_letter(group, 13, last_error="Çelik")
    looked_at = []
    while step := continue_bulk_actions():
        looked_at.append(step)
    action.refresh_from_db()
    assert max(looked_at) == 3
    assert (action.done_count, action.status) == (4, "finished")
    left = DeadLetter.objects.filter(status="open").order_by("offset").values_list("offset", flat=True)
    assert list(left) == [2, 3, 5, 6, 8, 9, 13]


def test_where_the_newest_do_not_have_it_the_older_ones_are_looked_for_by_the_worker(monkeypatch):
    monkeypatch.setattr(bulk, "SEARCH_DEAD_LETTERS", 2)
    group = make_lease_group()
    for offset in range(1, 6):
        make_dead_letter(group, offset, last_error="it" if offset < 3 else "else")
    action = start_bulk_action(
        kind=BulkKind.DISCARD, groups=[group], wanted=DeadLetterFilter(text="it"), requested_by="an operator"
    )
    assert (action.total_count, action.status) == (0, "running")
    continue_bulk_actions()
    action.refresh_from_db()
    assert (action.done_count, action.status) == (2, "finished")


# --- what it costs ---


@pytest.fixture
def crowded():
    """Two groups with 20,000 open dead letters each, one a minute."""
    groups = [make_lease_group(), make_lease_group()]
    with connection.cursor() as cursor:
        for group in groups:
            cursor.execute(
                """
                INSERT INTO consumers_deadletter (group_id, partition_id, "offset", round, event, event_id, event_type,
                       event_key, reason, status, delivery_count, failure_count, last_error, error_fingerprint, reported_by,
                       created_at, closed_by, note)
                SELECT %s, (SELECT min(id) FROM streams_partition WHERE stream_id = %s), n, 0, repeat('x', 300)::bytea, n, 't',
                       '', 'terminal', 'open', 1, 1, 'broken ' || n, '', '', %s::timestamptz + n * interval '1 minute', '', ''
                  FROM generate_series(1, 20000) AS n
                """,
                [group.pk, group.stream_id, NOON],
            )
        cursor.execute("VACUUM ANALYZE consumers_deadletter")
    return groups


def plan_of(dead_letters, wanted: DeadLetterFilter, rows: int) -> str:
    return narrow(dead_letters, wanted).values_list("pk", "last_error")[:rows].explain(costs=False)


@pytest.mark.slow("makes 40,000 dead letters and vacuums them")
def test_an_index_leads_to_the_newest_of_a_group_and_to_a_stretch_of_time(crowded):
    letters = DeadLetter.objects.filter(group_id=crowded[0].pk).order_by("-pk")
    newest = plan_of(letters, DeadLetterFilter(status="open"), 51)
    assert "Index Scan using deadletter_open_of_group" in newest, newest
    assert "Sort" not in newest, newest

    hours = DeadLetterFilter(status="open", since=NOON + timedelta(hours=20), until=NOON + timedelta(hours=22))
    for found in (letters, DeadLetter.objects.filter(group_id__in=[each.pk for each in crowded]).order_by("-pk")):
        plan = plan_of(found, hours, 10_001)
        assert "deadletter_open_by_time" in plan, plan
        assert "Seq Scan" not in plan, plan


@pytest.mark.slow("makes 40,000 dead letters and vacuums them")
def test_a_look_asks_for_no_more_than_it_may_look_at(crowded):
    letters = DeadLetter.objects.order_by("-pk")
    wanted = DeadLetterFilter(status="open", text="nowhere")
    with CaptureQueriesContext(connection) as captured:
        found = look_through(letters, wanted, most_found=50, most_looked_at=1_000)
    assert (found.looked_at, found.is_end, len(captured)) == (1_000, False, 1)
    assert "LIMIT 1001" in captured[0]["sql"]
