"""One box finds whatever has a name, of what may be seen and nothing else, and says what it has looked at."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import ApiKey, User
from accounts.roles import Right, Role
from accounts.services.api_keys import revoke_api_key
from observability.dashboard.queries import event_by_id
from streams.envelope import make_ids
from streams.lookup import load_stream
from streams.queries import get_event
from streams.stored_event import outline_of
from tests.browser.story import append
from tests.factories import make_dead_letter, make_group, make_key, make_owner, make_stream, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")


def browser_of(user: User) -> Client:
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser


def ask(user: User, text: str):
    return browser_of(user).get("/find", {"q": text})


def words(response) -> str:
    """What the page says, without what was asked for."""
    main = response.content.decode().partition("<main")[2]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", main))


def id_of(stream: str, offset: int) -> str:
    info = load_stream(stream)
    assert info is not None
    return outline_of(get_event(info, 0, offset)).id


@pytest.fixture(autouse=True)
def has_time(monkeypatch):
    """What is found, and what is said of it, must not hang on how busy the machine is."""
    monkeypatch.setattr(event_by_id, "MAX_SECONDS", 60)


@pytest.fixture
def owner() -> User:
    return make_owner()


def test_what_alone_has_exactly_the_name_is_gone_to(owner):
    stream = make_stream("orders", owner=owner)
    make_stream("orders-archive", owner=owner)
    make_group(stream, "billing")
    make_key(owner)
    key = ApiKey.objects.get()
    append(stream, {"payload": 1}, {"payload": 2, "id": "order-4711"})
    make_id = id_of("orders", 1)

    for text, place in {
        "orders": "/streams/orders",
        " ORDERS ": "/streams/orders",
        "billing": "/streams/orders/consumer-groups/billing",
        key.key_id: f"/keys#key-{key.key_id}",
        key.prefix: f"/keys#key-{key.key_id}",
        make_id: "/streams/orders/events/0/1",
        "order-4711": "/streams/orders/events/0/2",
        "orders/0/2": "/streams/orders/events/0/2",
        "orders/2": "/streams/orders/events/0/2",
    }.items():
        answer = ask(owner, text)
        assert (answer.status_code, answer.get("Location")) == (302, place), text
    assert f'id="key-{key.key_id}"' in browser_of(owner).get("/keys").content.decode()


def test_a_key_is_gone_to_on_whichever_page_of_the_keys_it_is(owner):
    for number in range(55):
        make_key(owner, name=f"key-{number:02d}")
    revoke_api_key(key=ApiKey.objects.get(name="key-54"), now=timezone.now())
    for name in ("key-53", "key-01", "key-00", "key-54"):
        key = ApiKey.objects.get(name=name)
        for text in (name, key.prefix):
            page, _, row = ask(owner, text)["Location"].partition("#")
            assert f'id="{row}"' in browser_of(owner).get(page).content.decode(), name


def test_several_are_listed_by_kinds_those_of_exactly_the_name_first(owner):
    for number in range(12):
        make_stream(f"an-order-{number}", owner=owner)
    orders = make_stream("order", owner=owner)
    make_group(orders, "order")
    answer = ask(owner, "order")

    assert answer.status_code == 200
    assert words(answer).index("Streams") < words(answer).index("Consumer groups")
    titles = re.findall(r'href="(/streams/[a-z0-9-]+)"', answer.content.decode())
    assert titles[0] == "/streams/order"
    assert len(titles) == 10
    assert "/streams?name=order" in answer.content.decode()


def test_what_is_hidden_is_answered_like_what_does_not_exist(owner):
    stranger = make_user(Role.PRODUCER, Role.CONSUMER)
    hidden = make_stream("salaries", owner=owner, visibility="restricted")
    make_group(hidden, "payroll")
    secret = make_key(owner)
    prefix = ApiKey.objects.get().prefix
    append(hidden, {"payload": 1, "id": "raise-of-ada"}, {"payload": 2})
    made_id, no_id = id_of("salaries", 2), make_ids(1)[0]
    append(make_stream("orders", owner=owner), {"payload": 1})
    assert ask(owner, "raise-of-ada").status_code == 302

    for known, unknown in {
        "salaries": "salarios",
        "payroll": "payrolls",
        "raise-of-ada": "raise-of-bob",
        "salaries/0/1": "salarios/0/1",
        prefix: prefix[:-3] + "xyz",
        secret: prefix,
        made_id: no_id,
    }.items():
        of_known, of_unknown = ask(stranger, known), ask(stranger, unknown)
        assert of_known.status_code == of_unknown.status_code == 200, known
        told, same = (re.sub(r"recorded about .*? were", "", words(each)) for each in (of_known, of_unknown))
        told = re.sub("That was a whole key.*?rotate the key. ", "", told)
        assert told == same, known
    assert "/streams/salaries" not in ask(stranger, "salaries").content.decode()


def test_a_right_to_produce_is_none_to_find_events(owner):
    from streams.services.grants import grant_stream

    producer = make_user(Role.PRODUCER)
    stream = make_stream("salaries", owner=owner, visibility="restricted")
    grant_stream(stream=stream, to=producer, rights={Right.PRODUCE}, caller=owner.as_caller())
    append(stream, {"payload": 1, "id": "raise-of-ada"})

    assert ask(producer, "salaries")["Location"] == "/streams/salaries"
    assert ask(producer, "raise-of-ada").status_code == 200
    assert "0 events" in words(ask(producer, "raise-of-ada"))
    assert ask(producer, "salaries/0/1").status_code == 200


def test_somebodys_own_keys_are_found_and_an_admin_finds_all(owner):
    make_key(owner)
    prefix = ApiKey.objects.get().prefix
    assert ask(make_user(Role.ADMIN), prefix).status_code == 302
    assert ask(owner, prefix).status_code == 302
    assert ask(make_owner(), prefix).status_code == 200


def test_a_whole_key_is_found_without_its_secret_being_shown(owner):
    secret = make_key(owner)
    assert secret not in ask(owner, secret)["Location"]

    told = ask(make_owner(), secret).content.decode()

    assert secret not in told
    assert "That was a whole key with its secret" in told


def test_an_id_that_names_its_time_is_found_far_from_the_newest_events(owner, monkeypatch):
    monkeypatch.setattr(event_by_id, "EVENTS_OF_EACH", 10)
    monkeypatch.setattr(event_by_id, "BEFORE", timedelta(0))
    stream = make_stream("orders", owner=owner)
    for number in range(30):
        append(stream, {"payload": number})
    early = id_of("orders", 3)
    own = "an-id-of-my-own"
    append(stream, {"payload": "own", "id": own})
    for number in range(12):
        append(stream, {"payload": number})

    assert ask(owner, early)["Location"] == "/streams/orders/events/0/3"
    # Nothing is known of its time, and it is not among the newest.
    told = ask(owner, own)
    assert told.status_code == 200
    assert "10 events of 1 stream" in words(told)
    assert f"/streams/orders/events?id={own}" in told.content.decode()
    assert "/streams/orders/events/0/31" in browser_of(owner).get(f"/streams/orders/events?id={own}").content.decode()


def test_of_an_id_from_another_time_nothing_is_looked_at_in_vain(owner):
    append(make_stream("orders", owner=owner), {"payload": 1})
    in_a_year = int((timezone.now() + timedelta(days=365)).timestamp() * 1000)
    text = f"{in_a_year:012x}"
    text = f"{text[:8]}-{text[8:]}-7000-8000-000000000000"
    assert "0 events of 0 streams" in words(ask(owner, text))


def test_it_looks_for_so_long_and_says_that_there_are_more(owner, monkeypatch):
    monkeypatch.setattr(event_by_id, "MAX_SECONDS", -1)
    append(make_stream("orders", owner=owner), {"payload": 1})

    told = words(ask(owner, "no-such-id"))

    assert "0 events of 0 streams" in told
    assert "There are more streams" in told


def test_it_looks_at_so_many_partitions_and_says_that_there_are_more(owner, monkeypatch):
    monkeypatch.setattr(event_by_id, "MOST_PARTITIONS", 2)
    for number in range(4):
        append(make_stream(f"stream-{number}", owner=owner), {"payload": 1})
    client = browser_of(owner)
    with CaptureQueriesContext(connection) as captured:
        told = client.get("/find", {"q": "no-such-id"})

    assert "2 events of 2 streams" in words(told)
    assert "There are more streams" in words(told)
    # Four for the caller, one for each kind, three for the streams, one for the ends of all, one for each partition.
    assert len(captured) <= 15


def test_an_event_that_retention_has_taken_is_found_where_a_dead_letter_keeps_it(owner):
    group = make_group(make_stream("orders", owner=owner), "billing")
    letter = make_dead_letter(group, 7, event_id="order-4711")

    assert ask(owner, "order-4711")["Location"] == f"/dead-letters/{letter.pk}"

    make_dead_letter(make_group(group.stream, "shipping"), 7, event_id="order-4711", status="redriven")
    told = words(ask(owner, "order-4711"))
    assert "billing on orders" in told
    assert "shipping on orders" in told
    assert "a dead letter of an event with this id, redriven" in told


def test_an_event_that_is_there_is_gone_to_and_not_its_dead_letter(owner):
    stream = make_stream("orders", owner=owner)
    append(stream, {"payload": 1, "id": "order-4711"})
    make_dead_letter(make_group(stream), 1, event_id="order-4711")

    assert ask(owner, "order-4711")["Location"] == "/streams/orders/events/0/1"


def test_dead_letters_of_groups_that_are_hidden_are_not_found(owner):
    hidden = make_stream("salaries", owner=owner, visibility="restricted")
    make_dead_letter(make_group(hidden, "payroll"), 1, event_id="raise-of-ada")
    # What came with no id is found by none.
    make_dead_letter(make_group(make_stream("orders", owner=owner), "billing"), 1, event_id="")

    stranger = make_user(Role.PRODUCER, Role.CONSUMER)
    assert ask(owner, "raise-of-ada").status_code == 302
    assert words(ask(stranger, "raise-of-ada")) == words(ask(stranger, "raise-of-bob"))


def test_nothing_asked_for_is_nothing_looked_for(owner):
    for text in ("", "   ", "\0"):
        answer = ask(owner, text)
        assert answer.status_code == 200
        assert "were looked at" not in words(answer)


@pytest.mark.parametrize(
    "text", ["%", "_", "'; DROP", "../..", "a/b/c", "orders/999/1", "0" * 200, "\U0001f600", "é/1"]
)
def test_whatever_is_typed_is_no_more_than_a_text(owner, text):
    append(make_stream("orders", owner=owner), {"payload": 1})
    assert ask(owner, text).status_code == 200
    assert '/streams/orders"' not in ask(owner, text).content.decode()
