"""What the dashboard and the administration say of engines: where to choose one, where a stream lies, what is not offered there."""

import pytest
from django.test import Client

from accounts.roles import Role
from observability.dashboard.queries.system_health import forget_system_health
from streams.log import SIGHTINGS
from streams.log.engines import get_engines
from streams.models import Stream
from streams.services.quarantine import put_in_quarantine
from tests.client import ApiClient
from tests.factories import make_key, make_user

HTMX = {"HX-Request": "true"}
TYPED = {"name": "clicks", "partitions": "2", "visibility": "internal", "validation": "off", "age_unit": "days"}
NOT_THERE = "events for later, or that expire"


@pytest.fixture
def owner(distant):
    return make_user(Role.ADMIN, Role.PRODUCER, Role.CONSUMER)


@pytest.fixture
def client(owner):
    client = Client(raise_request_exception=False)
    client.force_login(owner, "django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def shop(owner):
    return ApiClient(key=make_key(owner))


@pytest.fixture
def orders(shop):
    """A stream in the other engine, with one event and a group, and one in PostgreSQL."""
    for body in ({"name": "orders", "engine": "distant", "partitions": 2}, {"name": "here"}):
        assert shop.post("/streams", body).status_code == 201
    for name in ("orders", "here"):
        assert shop.post(f"/streams/{name}/events", {"type": "t", "key": "k", "payload": 1}).status_code == 202
    assert shop.post("/streams/orders/consumer-groups", {"name": "billing", "mode": "lease"}).status_code == 201
    SIGHTINGS.write()


def words(answer):
    return " ".join(answer.content.decode().split())


def forget_healths():
    get_engines()._healths.forget()
    forget_system_health()


# --- making a stream ---


def test_the_form_says_which_engines_there_are_and_what_each_does_without(client):
    page = words(client.get("/streams/new"))
    assert "Where its events lie" in page
    assert 'value="postgres" data-lacks="" checked' in page
    assert 'value="distant" data-lacks="deduplication timed' in page
    assert f"Without: storing an id once; {NOT_THERE}" in page
    assert 'name="allow_weak"' not in page


def test_with_postgresql_alone_nobody_is_asked(client, settings, distant):
    settings.EVENTFLOW_ENGINES = {}
    from streams.log import close_log

    close_log()
    assert "Where its events lie" not in words(client.get("/streams/new"))


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "script"])
def test_a_stream_is_made_where_the_form_says_and_once(client, distant, headers):
    for _ in range(2):
        made = client.post("/streams/new", {**TYPED, "engine": "distant", "idempotency_key": "k"}, headers=headers)
        assert made.status_code in (204, 200, 302), made.content
    stream = Stream.objects.get()
    assert (stream.engine, stream.partition_count) == ("distant", 2)
    assert len(distant._partitions) == 2


def test_what_the_engine_does_without_is_refused_at_its_choice_and_keeps_what_was_typed(client, distant):
    answer = client.post("/streams/new", {**TYPED, "engine": "distant", "deduplicate_ids": "5"}, headers=HTMX)
    page = words(answer)
    assert answer.status_code == 422
    assert 'id="h-engine">The engine distant does not offer this: deduplicate_ids.' in page
    assert 'data-needs="deduplication" disabled' in page
    assert 'value="clicks"' in page
    assert not Stream.objects.exists()


def test_a_weak_engine_says_why_and_wants_a_word(client, distant):
    distant.weather.is_weak = True
    assert 'Even though it could lose events <span class="cell-sub">events are kept in memory' in words(
        client.get("/streams/new")
    )
    refused = client.post("/streams/new", {**TYPED, "engine": "distant"}, headers=HTMX)
    assert refused.status_code == 422
    assert 'id="h-engine">The engine distant keeps events in memory.' in words(refused)
    client.post("/streams/new", {**TYPED, "engine": "distant", "allow_weak": "on"}, headers=HTMX)
    assert Stream.objects.get().engine == "distant"


def test_an_engine_that_is_away_cannot_be_chosen_and_says_why(client, distant):
    distant.weather.is_away = True
    page = words(client.get("/streams/new"))
    assert "it is away. No stream can be made there now." in page
    refused = client.post("/streams/new", {**TYPED, "engine": "distant"}, headers=HTMX)
    assert (refused.status_code, Stream.objects.count()) == (422, 0)
    assert 'id="h-engine"' in words(refused)


# --- looking at one ---


def test_a_stream_elsewhere_says_where_it_lies_and_what_it_does_without(client, orders):
    badge = 'title="The engine that its events lie in">distant</span>'
    assert words(client.get("/streams")).count(badge) == 1
    page = words(client.get("/streams/orders"))
    assert badge in page
    assert f"without storing an id once; {NOT_THERE}" in page
    assert "estimated" in page
    assert badge not in words(client.get("/streams/here"))


def test_its_settings_do_not_offer_what_it_does_without(client, orders):
    page = words(client.get("/streams/orders/settings"))
    assert 'data-needs="deduplication" disabled' in page
    assert "distant does not offer more partitions than a stream was made with." in page
    saved = client.post(
        "/streams/orders/settings", {"description": "new", "visibility": "internal", "age_unit": "days"}
    )
    assert saved.status_code == 302, saved.content
    assert Stream.objects.get(name="orders").description == "new"
    assert "disabled" not in words(client.get("/streams/here/settings")).partition('id="stream-form"')[2].partition(
        "</form>"
    )[0].replace("hx-disabled-elt", "")


def test_its_events_cannot_be_erased_and_say_why(client, orders):
    [place] = [number for number in (0, 1) if client.get(f"/streams/orders/events/{number}/1").status_code == 200]
    page = words(client.get(f"/streams/orders/events/{place}/1"))
    assert "distant does not offer erasing a payload: it goes with retention." in page
    assert f"/streams/orders/events/{place}/1/erase" not in page
    assert "/streams/here/events/0/1/erase" in words(client.get("/streams/here/events/0/1"))


# --- while it is away ---


PAGES = [
    "/",
    "/streams",
    "/streams?by=size",
    "/streams/orders",
    "/streams/orders/settings",
    "/streams/orders/schemas",
    "/streams/orders/consumer-groups",
    "/streams/orders/consumer-groups/billing",
    "/consumer-groups",
    "/dead-letters",
    "/audit",
    "/find?q=an-id",
    "/find?q=0193e6a0-0000-7000-8000-000000000000",
    "/admin/streams/stream/",
]


@pytest.mark.parametrize("path", PAGES)
def test_while_its_engine_is_away_pages_show_what_was_last_seen(client, orders, distant, path):
    distant.weather.is_away = True
    forget_healths()
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_while_its_topic_is_gone_pages_show_what_was_last_seen(client, orders, distant, path):
    distant.weather.gone = set(distant.topics)
    forget_healths()
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_while_it_is_in_quarantine_pages_show_what_was_last_seen(client, orders, distant, path):
    put_in_quarantine("distant", next(iter(distant.topics)), "it is another one")
    forget_healths()
    assert client.get(path).status_code == 200


def test_an_event_is_found_by_its_id_while_a_topic_of_another_stream_is_gone(client, orders, shop, distant):
    assert shop.post("/streams", {"name": "clicks", "engine": "distant"}).status_code == 201
    for name in ("here", "clicks"):
        assert shop.post(f"/streams/{name}/events", {"id": f"one-of-{name}", "payload": 1}).status_code == 202
    SIGHTINGS.write()
    distant.weather.gone = {each for each in distant.topics if each.startswith("orders")}
    for name in ("here", "clicks"):
        assert client.get(f"/find?q=one-of-{name}")["Location"].startswith(f"/streams/{name}/events/0/")
    assert "There are more streams than could be looked at" in words(client.get("/find?q=no-such-id"))


def test_while_its_engine_is_away_the_page_of_a_stream_says_so(client, orders, distant):
    distant.weather.is_away = True
    forget_healths()
    page = words(client.get("/streams/orders"))
    assert "The engine distant cannot be asked now" in page
    assert "it is away" in page
    overview = words(client.get("/"))
    assert "Engine distant" in overview
    assert 'href="/streams/here/events/0/1"' in overview


def test_while_its_engine_is_away_the_overview_does_not_say_that_nothing_has_happened(client, shop, distant):
    assert shop.post("/streams", {"name": "orders", "engine": "distant"}).status_code == 201
    assert "Nothing has happened yet" in words(client.get("/"))
    assert shop.post("/streams/orders/events", {"payload": 1}).status_code == 202
    SIGHTINGS.write()
    distant.weather.is_away = True
    forget_healths()
    overview = words(client.get("/"))
    assert "Not to be seen now" in overview
    assert "Nothing has happened yet" not in overview


# --- the administration ---


def test_the_administration_shows_the_engine_and_changes_what_needs_no_question(client, orders):
    stream = Stream.objects.get(name="orders")
    address = f"/admin/streams/stream/{stream.pk}/change/"
    assert "distant" in words(client.get("/admin/streams/stream/?engine=distant"))
    page = client.get(address)
    assert '<div class="readonly">distant</div>' in words(page)
    form = page.context["adminform"].form
    sent = {name: form[name].value() for name in form.fields if form[name].value() not in (None, False)}
    sent |= {"labels": "{}", "grants-TOTAL_FORMS": "0", "grants-INITIAL_FORMS": "0"}
    assert client.post(address, {**sent, "description": "new"}).status_code == 302
    assert Stream.objects.get(name="orders").description == "new"
    sent["version"] = client.get(address).context["adminform"].form["version"].value()
    refused = client.post(address, {**sent, "retention_max_events": "1"})
    assert "which has to be asked what would go. Do it on the stream&#x27;s settings page" in words(refused)


def test_the_administrations_own_streams_lie_in_postgresql(client, distant):
    assert 'name="engine"' not in words(client.get("/admin/streams/stream/add/"))
