"""A stream that is mirrored: who may have it so, what is refused, and what a worker does with what it is told."""

import pytest
from django.utils import timezone

from accounts.models import AuditEntry
from accounts.roles import Role
from streams.conf import MAX_MIRRORS
from streams.models import Epoch, Mirror, MirrorPosition
from streams.services.mirroring.running import run_mirrors, stop_mirrors
from streams.services.retention import delete_expired_events
from tests.client import ApiClient
from tests.factories import make_key, make_owner, make_token, make_user
from tests.run.instance import wait_for

TOPIC = "distant.orders"


@pytest.fixture
def owner(distant):
    return make_owner()


@pytest.fixture
def shop(owner):
    client = ApiClient(key=make_key(owner))
    assert client.post("/streams", {"name": "orders"}).status_code == 201
    yield client
    stop_mirrors()


def code_of(answer):
    return answer.status_code, answer.json()["code"]


def mirror(client, **body):
    return client.post("/streams/orders/mirrors", {"engine": "distant", **body})


def append(client, count):
    assert client.post("/streams/orders/events", [{"payload": n} for n in range(count)]).status_code == 202


def look(client):
    [found] = client.get("/streams/orders/mirrors").json()["data"]
    return found


def run_until(client, is_true):
    run_mirrors()
    wait_for("the mirror is so far", lambda: is_true(look(client)), seconds=20)


def is_copied(standing):
    return standing["lag"] == 0 and standing["state"] == "running"


# --- being made and looked at ---


def test_it_says_where_it_goes_and_how_far_it_is(shop, distant):
    append(shop, 5)
    made = mirror(shop)
    assert made.status_code == 201, made.content
    assert made["Location"] == f"/api/v1/streams/orders/mirrors/{made.json()['id']}"
    assert {name: made.json()[name] for name in ("engine", "topic", "state", "lag", "paused", "last_error")} == {
        "engine": "distant",
        "topic": TOPIC,
        "state": "waiting",
        "lag": 5,
        "paused": False,
        "last_error": None,
    }
    assert shop.get(f"/streams/orders/mirrors/{made.json()['id']}").json() == made.json() == look(shop)
    run_until(shop, is_copied)
    assert look(shop)["partitions"] == [
        {"partition": 0, "position": 5, "head_offset": 5, "lag": 0, "copied": 5, "lost": 0, "doubled": 0}
    ]
    assert distant.mirrored.offsets(TOPIC) == [[1, 2, 3, 4, 5]]
    wait_for(
        "its group's position is told", lambda: distant.mirrored.copying.ends == {"eventflow.mirror.orders": {0: 5}}
    )


def test_a_retry_with_the_same_key_gets_the_same_mirror(shop):
    first, again = (
        shop.post("/streams/orders/mirrors", {"engine": "distant"}, Idempotency_Key="once") for _ in range(2)
    )
    assert (first.status_code, again.status_code, again["Idempotent-Replayed"]) == (201, 201, "true")
    assert first.json()["id"] == again.json()["id"]
    assert Mirror.objects.count() == 1


def test_what_is_refused_is_refused_by_name(shop):
    assert code_of(shop.post("/streams/orders/mirrors", {"engine": "nowhere"})) == (422, "unknown_engine")
    assert code_of(shop.post("/streams/orders/mirrors", {"engine": "postgres"})) == (422, "not_offered")
    assert mirror(shop).status_code == 201
    assert code_of(mirror(shop)) == (409, "mirror_exists")
    assert code_of(shop.get("/streams/orders/mirrors/999")) == (404, "mirror_not_found")
    assert code_of(shop.get("/streams/orders/mirrors/x")) == (404, "mirror_not_found")


def test_a_stream_in_another_engine_has_its_topic_already(shop):
    shop.post("/streams", {"name": "clicks", "engine": "distant"})
    assert code_of(shop.post("/streams/clicks/mirrors", {"engine": "distant"})) == (409, "mirror_useless")


def test_while_its_engine_is_away_none_is_made(shop, distant):
    distant.weather.is_away = True
    assert code_of(mirror(shop)) == (503, "engine_unavailable")
    assert not Mirror.objects.exists()


@pytest.mark.parametrize("topic", ["a b", "..", "__consumer_offsets", "distant.orders.12.1", "größe"])
def test_a_name_that_no_topic_of_copies_may_have_is_refused(shop, topic):
    assert code_of(mirror(shop, topic=topic)) == (422, "invalid_topic")


def test_another_name_than_its_own_is_an_admins_to_give(shop):
    assert code_of(mirror(shop, topic="distant.payments")) == (403, "scope_missing")
    assert mirror(shop, topic=TOPIC).status_code == 201
    admin = ApiClient(token=make_token(make_user(Role.ADMIN)))
    assert mirror(admin, topic="shop.orders").json()["topic"] == "shop.orders"


def test_a_topic_that_is_a_streams_takes_no_copies(shop):
    shop.post("/streams", {"name": "clicks", "engine": "distant"})
    Epoch.objects.update(topic="shop.clicks")
    admin = ApiClient(token=make_token(make_user(Role.ADMIN)))
    assert code_of(mirror(admin, topic="shop.clicks")) == (409, "engine_refuses")


def test_a_stream_has_so_many_and_no_more(shop):
    admin = ApiClient(token=make_token(make_user(Role.ADMIN)))
    made = [mirror(admin, topic=f"shop.{n}").status_code for n in range(MAX_MIRRORS)]
    assert made == [201] * MAX_MIRRORS
    assert code_of(mirror(admin, topic="shop.more")) == (409, "too_many_mirrors")


def test_the_audit_trail_tells_of_it(shop):
    made = mirror(shop, **{"from": "now"}).json()
    address = f"/streams/orders/mirrors/{made['id']}"
    for paused in (True, True, False):
        shop.patch(address, {"paused": paused})
    shop.delete(address)
    told = AuditEntry.objects.filter(action__startswith="mirror.").order_by("pk")
    assert [each.action for each in told] == ["mirror.created", "mirror.paused", "mirror.resumed", "mirror.deleted"]
    assert {each.target for each in told} == {f"distant: {TOPIC}"}
    assert told[0].after == {"from": "now", "allow_weak": False}


def test_it_goes_with_its_stream(shop):
    mirror(shop)
    append(shop, 3)
    run_until(shop, is_copied)
    assert shop.delete("/streams/orders?confirm=orders").status_code == 204
    assert not Mirror.objects.exists()
    assert not MirrorPosition.objects.exists()


# --- what a worker is told ---


def test_of_what_nobody_knows_only_the_rest_is_sent(shop, distant):
    append(shop, 10)
    distant.mirrored.copying.stored_before_it_failed = 4
    mirror(shop)
    run_until(shop, is_copied)
    assert distant.mirrored.offsets(TOPIC) == [list(range(1, 11))]
    standing = look(shop)
    assert (standing["failures"], standing["copied"], standing["doubled"]) == (1, 10, 0)
    assert "did not" in standing["last_error"]["reason"] or "do not come" in standing["last_error"]["reason"]


def test_an_event_that_is_not_taken_is_named_and_nothing_goes_past_it(shop, distant):
    append(shop, 6)
    distant.mirrored.copying.refuses_offset = 4
    mirror(shop)
    run_until(shop, lambda standing: standing["state"] == "failing" and standing["failures"] >= 2)
    assert "offset 4" in look(shop)["last_error"]["reason"]
    assert distant.mirrored.offsets(TOPIC) == [[1, 2, 3]]
    distant.mirrored.copying.refuses_offset = None
    wait_for("it goes on", lambda: is_copied(look(shop)), seconds=20)
    assert distant.mirrored.offsets(TOPIC) == [[1, 2, 3, 4, 5, 6]]


def test_what_a_dead_worker_had_under_way_is_waited_for(shop, distant):
    append(shop, 6)
    mirror(shop)
    run_until(shop, is_copied)
    stop_mirrors()
    # As if it had sent two more and died: the lease is there, and what was sent comes late.
    append(shop, 4)
    mirrored, [records] = Mirror.objects.get(), distant.mirrored.records[TOPIC]
    distant.mirrored.copying.arriving = [(0, records[0]._replace(offset=offset)) for offset in (7, 8)]
    now = timezone.now()
    Mirror.objects.filter(pk=mirrored.pk).update(
        lease_token="00000000-0000-4000-8000-000000000000", leased_at=now, lease_expires_at=now
    )
    run_until(shop, is_copied)
    assert distant.mirrored.offsets(TOPIC) == [list(range(1, 11))]
    assert look(shop)["doubled"] == 0


def test_a_copy_that_comes_all_the_same_is_counted(shop, distant, caplog):
    append(shop, 3)
    mirror(shop)
    run_until(shop, is_copied)
    [records] = distant.mirrored.records[TOPIC]
    records.append(records[1])
    append(shop, 2)
    wait_for("it is copied", lambda: is_copied(look(shop)) and look(shop)["copied"] == 5, seconds=20)
    assert look(shop)["doubled"] == 1
    assert "more than once" in caplog.text


def test_what_others_write_into_the_topic_is_theirs(shop, distant):
    append(shop, 3)
    mirror(shop)
    run_until(shop, is_copied)
    [records] = distant.mirrored.records[TOPIC]
    records.append(records[1]._replace(headers=[("ef-offset", b"2"), ("ef-log", b"0")]))
    append(shop, 2)
    wait_for("it is copied", lambda: look(shop)["copied"] == 5, seconds=20)
    assert look(shop)["doubled"] == 0


def test_what_retention_took_is_counted_once_and_the_rest_goes_on(shop, distant):
    mirror(shop)
    for _ in range(4):
        append(shop, 5)
    shop.patch("/streams/orders?confirm=orders", {"retention": {"max_events": 5}})
    delete_expired_events(now=timezone.now())
    assert look(shop)["lag"] == 5
    run_until(shop, is_copied)
    assert distant.mirrored.offsets(TOPIC) == [[16, 17, 18, 19, 20]]
    assert (look(shop)["lost"], look(shop)["copied"]) == (15, 5)


def test_a_stream_that_moves_to_another_engine_keeps_its_mirror(shop, distant):
    from streams.log import get_routed_log
    from streams.log.protocol import PartitionRef, TopicSpec
    from streams.lookup import forget_streams
    from streams.models import Partition, Stream

    append(shop, 4)
    mirror(shop)
    run_until(shop, is_copied)
    partition = Partition.objects.get()
    ref = PartitionRef(partition.pk, "orders", 0)
    [epoch] = get_routed_log().ensure_in("distant", [ref], TopicSpec(first_offset=5, epoch_number=2)).values()
    Epoch.objects.create(partition=partition, number=1, engine="postgres", first_offset=1, last_offset=4)
    Epoch.objects.create(partition=partition, **epoch._asdict())
    Partition.objects.update(is_sealed=True)
    Stream.objects.update(engine="distant", has_epochs=True)
    forget_streams()
    append(shop, 3)
    wait_for("it is copied", lambda: look(shop)["copied"] == 7, seconds=20)
    assert distant.mirrored.offsets(TOPIC) == [list(range(1, 8))]
    assert code_of(mirror(shop)) == (409, "mirror_useless")
