"""What retention took from a group stands on its page until somebody acknowledges it; consuming says what it skips."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from consumers.group_standings import list_standings
from consumers.models import ConsumerGroup
from streams.log import get_log
from streams.lookup import load_stream
from tests.browser.accessibility import assert_accessible
from tests.browser.story import append, tell_story

OVERVIEW = "Retention took events that had not been finished."


@pytest.fixture
def story(site, page, sign_in):
    """Thirty events, none of which anybody read, are gone; one has come since."""
    told = tell_story()
    append(told.stream, {"type": "order.created", "payload": 31})
    get_log().trim(load_stream("orders").partitions[0], keep_events=1)
    sign_in(user=told.owner)
    return told


def lost(name):
    (standing,) = list_standings(ConsumerGroup.objects.filter(name=name), now=timezone.now())
    return standing.lost


def test_a_loss_is_seen_on_the_way_to_its_group_and_acknowledged_there(page, story):
    page.goto("/")
    alert = page.get_by_role("alert").filter(has_text=OVERVIEW)
    expect(alert).to_contain_text("billing on orders lost 30, warehouse on orders lost 30.")
    expect(page.get_by_text("all well")).to_have_count(0)
    alert.get_by_role("link", name="billing").click()

    told = page.get_by_role("region", name="Retention took 30 events before billing had finished them.")
    expect(told).to_contain_text("30 between the offsets 1 and 30")
    expect(told.get_by_role("link", name="Keep events for longer")).to_be_visible()
    assert_accessible(page)
    told.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_text("Acknowledged", exact=True)).to_be_visible()
    expect(told).to_have_count(0)
    assert (lost("billing"), lost("warehouse")) == (0, 30)

    page.goto("/consumer-groups")
    expect(page.get_by_role("row", name="warehouse")).to_contain_text("30 lost")
    expect(page.get_by_role("row", name="billing")).not_to_contain_text("lost")


def test_consuming_here_says_what_is_skipped(page, story):
    page.goto("/streams/orders/consumer-groups/billing/consume")
    expect(page.get_by_role("status").filter(has_text="Skipped: 30 events.")).to_contain_text("offset 1 to 30")
    assert_accessible(page)

    page.goto("/streams/orders/consumer-groups/warehouse/consume")
    page.get_by_role("button", name="Lease").click()
    expect(page.get_by_role("status").filter(has_text="Skipped: 30 events.")).to_contain_text("offset 1 to 30")
