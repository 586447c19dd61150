"""What a page costs is a promise: no page asks more of the database because there is more in it."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.roles import Role
from consumers.models import DeadLetter, Delivery
from consumers.services.dead_letters.report import report_dead_letter
from observability.dashboard.queries import system_health
from streams.lookup import forget_streams, load_stream
from tests.browser.story import Story, append, tell_story
from tests.consumers.leases import lease_one
from tests.factories import make_group, make_stream, make_user
from tests.observability.alerts.rules import look, make_rule

pytestmark = pytest.mark.slow("opens every page twice, with little and with a lot in it")

# Queries of each page, the four for session, user, roles and teams included.
MOST = {
    "/": 35,
    "/pulse": 6,
    "/streams": 11,
    "/streams/orders": 24,
    "/streams/empty": 24,
    "/streams/orders/events": 9,
    "/streams/orders/events/0/5": 14,
    "/streams/orders/events/0/5/erase": 7,
    "/streams/orders/tail": 10,
    "/streams/orders/schemas": 12,
    "/streams/orders/schemas/new?type=order.created": 11,
    "/streams/orders/schemas/of/order.created": 13,
    "/streams/orders/settings": 11,
    "/streams/orders/history": 11,
    "/streams/orders/consumer-groups": 14,
    "/streams/orders/consumer-groups/billing": 22,
    "/streams/orders/consumer-groups/billing/over-time": 23,
    "/streams/orders/consumer-groups/billing/over-time?window=30d": 23,
    "/streams/orders/consumer-groups/billing/consume": 24,
    "/streams/orders/consumer-groups/billing/settings": 22,
    "/consumer-groups": 11,
    "/streams/orders/consumer-groups/billing/seek": 26,
    "/streams/orders/consumer-groups/warehouse": 23,
    "/streams/orders/consumer-groups/warehouse?sort=due": 28,
    "/streams/orders/consumer-groups/warehouse?sort=state&order=desc": 28,
    "/streams/orders/consumer-groups/warehouse?sort=failures": 24,
    "/streams/orders/consumer-groups/warehouse/deliveries/{delivery}/release": 10,
    "/streams/orders/consumer-groups/warehouse/consume": 22,
    "/streams/orders/moves": 11,
    "/streams/orders/move?to=postgres": 10,
    "/streams/orders/delete": 9,
    "/streams/new": 4,
    "/dead-letters": 11,
    "/dead-letters?text=no&since=2020-01-01T00:00": 11,
    "/dead-letters/{letter}": 9,
    "/dead-letters/redrive?stream=orders": 7,
    "/alerts": 13,
    "/alerts/rules/new": 7,
    "/find?q=more": 20,
    "/find?q=no-such-name": 20,
    "/account": 5,
    "/send": 7,
    "/send/many": 7,
    "/simulations": 8,
    "/keys": 14,
    "/keys/new": 5,
    "/keys/{key}/revoke": 6,
    "/users": 6,
}
# The overview reads the newest events of up to four streams, one after the other; a search for an id those of
# up to 20 partitions, of which there are six more.
ALLOWANCES = {"/": 8, "/find?q=more": 6, "/find?q=no-such-name": 6}


def park(story: Story, *offsets: int) -> None:
    stream = load_stream("orders")
    assert stream is not None
    for offset in offsets:
        report_dead_letter(
            stream=stream, group=story.group, reporter="worker", partition=0, offset=offset, error=f"No. {offset}"
        )


def count_queries(client: Client, path: str) -> int:
    # Remembered for seconds, so they would count in some runs only.
    forget_streams()
    system_health.forget_system_health()
    with CaptureQueriesContext(
        connection,
    ) as captured:
        response = client.get(path)
    assert response.status_code in (200, 204), path
    return len(captured)


def count_all(story: Story) -> dict[str, int]:
    """Ask for every page, and count."""
    owner, admin = Client(), Client()
    owner.force_login(story.owner, "django.contrib.auth.backends.ModelBackend")
    admin.force_login(User.objects.get(email="admin@example.com"), "django.contrib.auth.backends.ModelBackend")
    letter = DeadLetter.objects.get(offset=3).pk
    counts = {}
    for page in MOST:
        client = admin if page == "/users" else owner
        path = page.format(letter=letter, key=story.key.key_id, delivery=Delivery.objects.earliest("pk").pk)
        count_queries(client, path)  # Warm: what a process remembers is remembered.
        counts[page] = count_queries(client, path)
    return counts


@pytest.fixture(scope="module")
def few_and_many(db_with_commits_for_all):
    """The queries of every page before and after there was more."""
    story = tell_story()
    make_user(Role.ADMIN, email="admin@example.com")
    empty = make_stream("empty", owner=story.owner)
    make_group(empty, "leasing", mode="lease")
    park(story, 3)
    lease_one(story.leasing_group, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(system_health, "answers_broker", lambda: True)
        make_rule(story.owner, "dead_letters")
        look()
        few = count_all(story)
        for number in range(6):
            stream = make_stream(f"more-{number}", owner=story.owner)
            append(stream, *({"type": f"type-{n}", "payload": n} for n in range(40)))
            make_group(stream, "more")
            make_group(empty, f"more-{number}", mode="lease")
            make_group(story.stream, f"more-{number}")
            make_user(Role.PRODUCER)
            make_rule(story.owner, "dead_letters", stream="orders", group=f"more-{number}")
        append(story.stream, *({"type": f"type-{n}", "payload": n} for n in range(200)))
        park(story, *range(10, 16))
        for _ in range(20):
            lease_one(story.leasing_group, 1)
        look()
        return few, count_all(story)


@pytest.mark.parametrize("path", MOST)
def test_a_page_asks_no_more_when_there_is_more(few_and_many, path):
    few, many, most = few_and_many[0][path], few_and_many[1][path], MOST[path]

    assert many <= few + ALLOWANCES.get(path, 0)
    assert many <= most
