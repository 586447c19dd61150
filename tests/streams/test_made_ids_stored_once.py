"""The ids that the server makes for a batch are remembered together, and count like all others."""

from datetime import timedelta

import pytest
from django.utils import timezone

from streams.models import RememberedFamily, RememberedId, Stream
from streams.services.remembered_ids import forget_passed_ids
from tests.client import ApiClient
from tests.factories import make_key, make_owner, make_stream, make_token

pytestmark = pytest.mark.usefixtures("db_with_commits")

DAY = 86_400


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture(params=[1, 4], ids=["one partition", "four partitions"])
def shop(request, owner):
    make_stream("orders", owner=owner, partitions=request.param, deduplicate_ids_seconds=DAY)
    return ApiClient(key=make_key(owner))


def send(client, events):
    answer = client.post("/streams/orders/events", events)
    assert answer.status_code == 202
    return answer.json()["events"]


def send_new(client, count=100):
    """Send events without ids, of as many keys."""
    return send(client, [{"key": f"customer-{number}", "payload": number} for number in range(count)])


def places(events):
    return [(each["id"], each["partition"], each["offset"], each["recorded_at"]) for each in events]


def test_a_row_holds_all_that_go_to_one_partition(shop):
    made = send_new(shop)
    assert RememberedFamily.objects.count() == len({each["partition"] for each in made})
    assert not RememberedId.objects.exists()


def test_whoever_sends_them_is_told_where_they_are_in_whatever_order_and_company(shop):
    made = send_new(shop)
    again = send(
        shop,
        [{"id": each["id"], "key": "another", "payload": 1} for each in reversed(made)] + [{"id": "new", "payload": 1}],
    )
    assert [each["duplicate"] for each in again] == [True] * 100 + [False]
    assert places(again[:-1]) == places(reversed(made))


def test_an_id_between_them_or_beside_them_is_another(shop):
    made = send_new(shop, 20)
    last = made[-1]["id"]
    beside = f"{last[:-8]}{int(last[-8:], 16) + 1:08x}"
    other_family = f"{'f' if last[0] != 'f' else 'e'}{last[1:]}"
    assert [
        each["duplicate"] for each in send(shop, [{"id": each, "payload": 1} for each in (beside, other_family)])
    ] == [
        False,
        False,
    ]


def test_a_family_of_another_stream_does_not_count(shop, owner):
    made = send_new(shop, 20)
    make_stream("other", owner=owner, deduplicate_ids_seconds=DAY)
    answer = shop.post("/streams/other/events", [{"id": each["id"], "payload": 1} for each in made]).json()
    assert not any(each["duplicate"] for each in answer["events"])


def test_beyond_the_window_they_are_stored_anew_and_count_from_then_on(shop):
    made = send_new(shop)
    RememberedFamily.objects.update(recorded_at=timezone.now() - timedelta(seconds=DAY, minutes=1))
    repeated = [{"id": each["id"], "key": "another", "payload": 1} for each in made]
    anew = send(shop, repeated)
    assert not any(each["duplicate"] for each in anew)
    again = send(shop, repeated)
    assert all(each["duplicate"] for each in again)
    assert places(again) == places(anew)


def test_a_few_are_remembered_alone(shop):
    made = send(shop, [{"payload": number} for number in range(3)])
    assert not RememberedFamily.objects.exists()
    assert all(each["duplicate"] for each in send(shop, [{"id": each["id"], "payload": 1} for each in made]))


# --- what is remembered is bounded, and seen ---


def test_stats_count_them(shop):
    made = send_new(shop)
    assert shop.get("/streams/orders/stats").json()["remembered_ids"] == {
        "window_seconds": DAY,
        "count": 100,
        "since": min(each["recorded_at"] for each in made),
    }


def test_those_whose_window_has_passed_are_forgotten(shop):
    send_new(shop)
    RememberedFamily.objects.update(recorded_at=timezone.now() - timedelta(days=2))
    send_new(shop, 50)
    assert forget_passed_ids(now=timezone.now()) == 100
    assert sum(RememberedFamily.objects.values_list("event_count", flat=True)) == 50
    assert forget_passed_ids(now=timezone.now()) == 0


def test_what_is_too_much_goes_by_whole_families_from_the_oldest_on(owner, settings):
    make_stream("orders", owner=owner, deduplicate_ids_seconds=DAY)
    client = ApiClient(key=make_key(owner))
    batches = [send_new(client, 20) for _ in range(3)]
    settings.MAX_REMEMBERED_IDS = 30
    assert forget_passed_ids(now=timezone.now()) == 20
    assert [send(client, [{"id": batch[0]["id"], "payload": 1}])[0]["duplicate"] for batch in batches] == [
        False,
        True,
        True,
    ]


@pytest.mark.parametrize("end", ["deleted", "not asked any more"])
def test_of_a_stream_that_has_ended_none_stays_remembered(shop, owner, end):
    send_new(shop)
    if end == "deleted":
        ApiClient(token=make_token(owner)).delete("/streams/orders?confirm=orders")
    else:
        Stream.objects.update(deduplicate_ids_seconds=None)
    assert forget_passed_ids(now=timezone.now()) == 100
    assert not RememberedFamily.objects.exists()
