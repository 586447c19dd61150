"""A group's filter on the dashboard: asked for, changed, refused at its field, and what it has passed by."""

import re

import pytest
from django.test import Client

from consumers.models import ConsumerGroup
from tests.client import ApiClient
from tests.consumers.leases import lease, produce_kinds
from tests.factories import make_group, make_key, make_owner, make_stream

pytestmark = pytest.mark.usefixtures("db_with_commits")
NEW = "/streams/orders/consumer-groups/new"
PAGE = "/streams/orders/consumer-groups/billing"
FIELDS = {"name": "billing", "mode": "lease", "start": "earliest", "backoff": "5", "ordering": "none"}
EU_CREATED = {"types": ["order.created"], "headers": {"region": "eu"}}


@pytest.fixture
def stream():
    return make_stream("orders", owner=make_owner())


@pytest.fixture
def browser(stream):
    browser = Client()
    browser.force_login(stream.owner, "django.contrib.auth.backends.ModelBackend")
    return browser


def text_of(answer) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", answer.content.decode()).split())


def filter_of() -> dict | None:
    return ConsumerGroup.objects.get(name="billing").filter


def test_a_new_group_is_asked_for_its_filter(browser):
    typed = {"types": "order.paid, order.created", "headers": ' {"region": "eu"} '}
    assert browser.post(NEW, FIELDS | typed).status_code == 302
    assert filter_of() == {"types": ["order.created", "order.paid"], "headers": {"region": "eu"}}


def test_without_one_it_is_given_everything(browser):
    assert browser.post(NEW, FIELDS | {"types": "", "headers": ""}).status_code == 302
    assert filter_of() is None


@pytest.mark.parametrize("mode", ["lease", "offset"])
def test_it_is_changed_and_taken_away_and_a_page_that_does_not_know_it_leaves_it(browser, stream, mode):
    make_group(stream, "billing", mode=mode, filter=EU_CREATED)
    page = browser.get(f"{PAGE}/settings").content.decode()
    assert re.search(r'name="types"[^>]*value="order.created"', page)
    assert "{&quot;region&quot;:&quot;eu&quot;}" in page

    assert browser.post(f"{PAGE}/settings", {"paused": "on"}).status_code == 302
    assert filter_of() == EU_CREATED
    assert browser.post(f"{PAGE}/settings", {"types": "order.paid", "headers": ""}).status_code == 302
    assert filter_of() == {"types": ["order.paid"]}
    assert browser.post(f"{PAGE}/settings", {"types": "", "headers": ""}).status_code == 302
    assert filter_of() is None


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"types": "order..,", "headers": '{"region": 5}'}, "headers"),
        ({"types": "", "headers": "region=eu"}, "headers"),
        ({"types": "", "headers": '{"": "eu"}'}, "headers"),
        ({"types": "", "headers": '{"a\\u0000": "eu"}'}, "headers"),
        ({"types": "", "headers": '["region"]'}, "headers"),
        ({"types": "ø", "headers": ""}, "types"),
    ],
)
def test_what_is_no_filter_is_refused_at_its_field(browser, typed, field):
    refusal = browser.post(NEW, FIELDS | typed)
    assert refusal.status_code == 422
    assert f'<span class="field-error" id="h-{field}">' in " ".join(refusal.content.decode().split())
    assert not ConsumerGroup.objects.exists()


def test_the_page_says_what_it_is_given_and_how_much_it_was_not(browser, stream):
    group = make_group(stream, "billing", mode="lease", filter=EU_CREATED)
    produce_kinds(group, {}, {}, {"type": "order.created", "headers": {"region": "eu"}}, {})
    lease(group)

    shown = text_of(browser.get(PAGE))

    assert "Filtered out 3 by its filter: it is given only order.created with region: eu" in shown
    assert (
        'eventflow_group_filtered_events_total{stream="orders",group="billing"} 3'
        in Client().get("/metrics").content.decode()
    )
    (told,) = ApiClient(key=make_key(stream.owner)).get("/streams/orders/stats").json()["consumer_groups"]
    assert (told["filtered_total"], told["expired_total"]) == (3, 0)
