"""Consuming from the browser, dead letters, and sending them again."""

import re

import pytest
from playwright.sync_api import expect

from consumers.models import DeadLetter, GroupOffset
from consumers.services.dead_letters.close import resolve_dead_letter
from consumers.services.dead_letters.move import move_exhausted
from consumers.services.leasing import Nack, lease_deliveries, nack_deliveries
from streams.lookup import load_stream
from tests.browser.story import append, tell_story


@pytest.fixture
def story(site, page, sign_in):
    told = tell_story()
    sign_in(user=told.owner)
    return told


def test_commits_make_the_lag_fall(page, story):
    page.goto("/streams/orders/consumer-groups/billing/consume")
    expect(page.get_by_text("lag 30")).to_be_visible()
    page.get_by_role("button", name="Commit all 20").click()

    expect(page.get_by_text("lag 10")).to_be_visible()
    page.get_by_role("button", name="Commit to here: offset 25").click()
    expect(page.get_by_text("lag 5", exact=True)).to_be_visible()
    assert GroupOffset.objects.get(group=story.group).committed_offset == 25


def test_the_group_page_follows_by_itself(page, story):
    page.goto("/streams/orders/consumer-groups/billing")
    expect(page.locator(".tile", has_text="Lag")).to_contain_text("30")
    append(story.stream, {"payload": 1}, {"payload": 2})
    expect(page.locator(".tile", has_text="Lag")).to_contain_text("32")


def test_an_event_is_parked(page, story):
    page.goto("/streams/orders/consumer-groups/billing/consume")
    page.get_by_role("link", name=re.compile("^Park offset 1 ")).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Park").click()
    expect(dialog.get_by_label("Reason")).to_be_focused()
    assert not DeadLetter.objects.exists()
    dialog.get_by_label("Reason").fill("its total is negative")
    dialog.get_by_role("button", name="Park").click()

    expect(page.get_by_role("status").filter(has_text="Parked as a dead letter")).to_be_visible()
    letter = DeadLetter.objects.get()
    assert (letter.reason, letter.last_error) == ("reported", "its total is negative")


def test_nothing_is_parked_without_a_reason(story, client):
    client.force_login(story.owner, "django.contrib.auth.backends.ModelBackend")
    path = "/streams/orders/consumer-groups/billing/consume/park"
    assert client.post(path, {"partition": "0", "offset": "1", "error": " "}).status_code == 422
    assert not DeadLetter.objects.exists()


def test_a_lease_is_acked(page, story):
    page.goto("/streams/orders/consumer-groups/warehouse/consume")
    page.get_by_role("button", name="Lease", exact=True).click()
    delivery = page.get_by_role("region", name=re.compile("^Delivery"))
    expect(delivery).to_contain_text("1–5")
    delivery.get_by_role("button", name="Ack", exact=True).click()

    expect(delivery).to_have_count(0)
    assert GroupOffset.objects.get(group=story.leasing_group).committed_offset == 5


def test_a_nack_for_good_is_a_dead_letter_that_is_mended_and_sent_again(page, story):
    page.goto("/streams/orders/consumer-groups/warehouse/consume")
    page.get_by_label("Events at most").select_option("1")
    page.get_by_role("button", name="Lease", exact=True).click()
    page.get_by_label("What went wrong").fill("no such customer 4711")
    page.get_by_label("for good").check()
    page.get_by_role("button", name="Nack").click()
    expect(page.get_by_role("status").filter(has_text="Nacked")).to_be_visible()
    move_exhausted(group=story.leasing_group)

    page.goto("/")
    expect(page.get_by_role("alert")).to_contain_text("1 dead letter waits")
    page.get_by_role("link", name="Look at it").click()
    expect(page.locator("#region")).to_contain_text("no such customer 4711")
    page.locator("tbody th a").first.click()

    page.get_by_label("Payload for warehouse").fill('{"order":0,"total":20}')
    expect(page.get_by_role("region", name="What the edit changes")).to_contain_text('− "total": 19.9')
    page.get_by_label("Note").fill("the price was wrong")
    page.get_by_role("button", name="Redrive").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator(".page-title")).to_contain_text("redriven")
    expect(page.locator("main")).to_contain_text("the price was wrong")

    page.goto("/streams/orders/consumer-groups/warehouse/consume")
    page.get_by_role("button", name="Lease", exact=True).click()
    delivery = page.get_by_role("region", name=re.compile("^Delivery"))
    expect(delivery.filter(has_text="redriven")).to_contain_text("20")


def make_dead_letters(story, count: int) -> None:
    stream = load_stream("orders")
    assert stream is not None
    for _ in range(count):
        leased = lease_deliveries(stream=stream, group=story.leasing_group, consumer="worker", max_events=1).deliveries[
            0
        ]
        nack = Nack(leased.id, leased.token, f"order {leased.id} is broken", is_terminal=True)
        nack_deliveries(group=story.leasing_group, nacks=[nack])
    move_exhausted(group=story.leasing_group)


def test_dead_letters_of_one_kind_are_counted_together_and_chosen_ones_sent_again(page, story):
    make_dead_letters(story, 4)
    page.goto("/dead-letters")
    expect(page.get_by_role("region", name="By error").get_by_role("listitem")).to_have_count(1)

    boxes = page.get_by_role("checkbox", name=re.compile("^Choose dead letter"))
    boxes.nth(0).check()
    boxes.nth(1).check()
    page.get_by_role("button", name="Redrive chosen…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("[data-bulk-count]")).to_have_text("2")
    dialog.get_by_role("button", name="Send 2 again").click()

    expect(page.get_by_role("status").filter(has_text="2 dead letters sent again")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(2)


def test_all_that_match_are_discarded_after_their_count_was_shown(page, story):
    make_dead_letters(story, 3)
    page.goto("/dead-letters?stream=orders")
    page.get_by_role("link", name="Discard all that match…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("[data-bulk-count]")).to_have_text("3")
    dialog.get_by_role("button", name="Discard 3").click()

    expect(page.get_by_role("status").filter(has_text="3 dead letters discarded")).to_be_visible()
    assert set(DeadLetter.objects.values_list("status", flat=True)) == {"discarded"}


def test_a_seek_says_first_how_many_events_it_concerns(page, story):
    page.goto("/streams/orders/consumer-groups/billing")
    page.get_by_role("link", name="Seek…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("the head: only what comes from now on").check()
    expect(dialog).to_contain_text("events are passed by unread")
    expect(dialog.locator(".dialog-number")).to_have_text("30")
    dialog.get_by_label("an offset of one partition").check()
    dialog.get_by_label("Committed offset to have").fill("12")
    expect(dialog.locator(".dialog-number")).to_have_text("12")
    dialog.get_by_role("button", name="Move it").click()

    told = page.get_by_role("status").filter(has_text="billing was moved")
    expect(told.locator(".toast-text")).to_have_text("12 events concerned")
    assert GroupOffset.objects.get(group=story.group).committed_offset == 12


def test_a_group_is_paused_and_resumed(page, story):
    page.goto("/streams/orders/consumer-groups/warehouse")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".page-title")).to_contain_text("paused")
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()


def test_the_event_tells_what_every_group_did_with_it(page, story):
    make_dead_letters(story, 1)
    page.goto("/streams/orders/events/0/1")
    story_card = page.get_by_role("region", name="What happened to it")
    expect(story_card.get_by_role("listitem").filter(has_text="billing").first).to_contain_text("not committed yet")
    expect(story_card).to_contain_text("became a dead letter")


@pytest.mark.parametrize("verb", ["Redrive", "Discard"])
def test_a_dead_letter_that_somebody_else_has_closed_shows_its_new_state(page, story, complaints, verb):
    make_dead_letters(story, 1)
    letter = DeadLetter.objects.get()
    page.goto(f"/dead-letters/{letter.pk}")
    status = page.locator("#letter-status")
    expect(status).to_have_text("open")
    resolve_dead_letter(dead_letter=letter, requested_by="somebody else", note="dealt with by hand")

    if verb == "Redrive":
        page.get_by_label("Payload for warehouse").fill('{"order":"mended"}')
        page.get_by_role("button", name="Redrive").click()
        expect(page.locator("#redrive-form .field-error")).to_contain_text("resolved")
        expect(page.get_by_label("Payload for warehouse")).to_have_value('{"order":"mended"}')
        expect(page.get_by_role("button", name="Redrive")).to_be_disabled()
    else:
        page.get_by_role("link", name="Discard…").click()
        page.get_by_role("dialog").get_by_role("button", name="Discard").click()
        expect(page.locator("main")).to_contain_text("dealt with by hand")
    expect(status).to_have_text("resolved")
    expect(page.get_by_role("link", name="Discard…")).to_have_count(0)
    complaints.expect("422")
