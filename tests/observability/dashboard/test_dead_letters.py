"""The page of dead letters: found by time and text, counted before anybody acts, and bulk actions that can be cancelled."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.test import Client

from accounts.roles import Role
from consumers.models import BulkAction, ConsumerGroup, DeadLetter
from observability.dashboard.queries import dead_letter_list
from tests.factories import make_dead_letter, make_group, make_owner, make_stream, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture
def group() -> ConsumerGroup:
    owner = make_owner()
    return make_group(make_stream("orders", owner=owner), "shipping", mode="lease", owner=owner)


def browser(user) -> Client:
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def manager(group) -> Client:
    return browser(group.owner)


def page_of(client: Client, status: int = 200, **query: str) -> str:
    answer = client.get("/dead-letters", query)
    assert answer.status_code == status
    return answer.content.decode()


def listed(page: str) -> list[int]:
    return [int(offset) for offset in re.findall(r'<span class="cell-sub mono">orders 0/(\d+)</span>', page)]


def text_of(page: str, element: str) -> str:
    """What stands in the element of an id, without its tags."""
    inside = page.split(f'id="{element}"', 1)[1].split(">", 1)[1]
    inside = inside.split("</li>" if element.startswith("bulk-") else "\n", 1)[0] if element != "totals" else inside
    if element == "totals":
        inside = re.split(r"</span>\s*(?:<span class=\"small soft|</div>)", inside, maxsplit=1)[0]
    return " ".join(re.sub(r"<[^>]*>", " ", inside).split())


# --- by time and text ---


def test_they_are_found_by_time_and_text(manager, group):
    for offset in range(1, 6):
        error = "no Çelik" if offset % 2 else "else"
        make_dead_letter(group, offset, last_error=error, created_at=NOON + timedelta(hours=offset))

    assert listed(page_of(manager, text="çelik")) == [5, 3, 1]
    # On a phone there is no column for it.
    assert page_of(manager).count('<span class="cell-sub phone-only"><bdi class="mono">no Çelik</bdi></span>') == 3
    # Without scripts the field has no zone: it is UTC.
    assert listed(page_of(manager, since="2026-11-28T14:00", until="2026-11-28T16:00")) == [3, 2]
    assert listed(page_of(manager, since="2026-11-28T17:00:00+02:00")) == [5, 4, 3]
    assert 'value="2026-11-28T15:00:00"' in page_of(manager, since="2026-11-28T17:00:00+02:00")


def test_an_address_that_is_passed_on_means_the_times_of_its_own_zone(manager, group):
    for offset in range(1, 6):
        make_dead_letter(group, offset, created_at=NOON + timedelta(hours=offset))
    page = page_of(manager, since="2026-11-28T15:00", zone="Europe/Berlin")
    assert listed(page) == [5, 4, 3, 2]
    assert 'value="2026-11-28T14:00:00"' in page, "whoever gets it sees it in their own zone"
    assert 'name="zone" value="UTC"' in page


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-11-28T12:00", "until": "2026-11-28T11:00"}, "until"),
        ({"until": "0001-01-01T00:00:00+14:00"}, "until"),
        ({"since": "2026-03-29T02:30", "zone": "Europe/Berlin"}, "since"),
        ({"since": "2026-11-28T12:00", "zone": "Nowhere/Land"}, "since"),
        ({"text": "x" * 201}, "text"),
    ],
)
def test_what_is_wrong_is_said_at_its_field(manager, group, wrong, field):
    page = page_of(manager, 422, **wrong)
    assert page.count("field-error") == 1
    assert f'id="h-{field}"' in page
    assert "Nothing was looked for" in page


def test_a_search_says_which_part_was_looked_at_and_goes_on(manager, group, monkeypatch):
    monkeypatch.setattr(dead_letter_list, "SEARCH_DEAD_LETTERS", 4)
    for offset in range(1, 10):
        make_dead_letter(group, offset, last_error="rare" if offset in (1, 9) else "common")

    first = page_of(manager, text="rare")
    assert listed(first) == [9]
    assert text_of(first, "totals").startswith("1 of the newest 4 matches, older ones are not counted")
    (after,) = re.findall(r"after=(\d+)[^>]*>Look further", first)
    second = page_of(manager, text="rare", after=after)
    assert "No match so far" in second
    (after,) = re.findall(r"after=(\d+)[^>]*>Look further", second)
    third = page_of(manager, text="rare", after=after)
    assert listed(third) == [1]
    assert "Look further" not in third


# --- counted ---


def test_how_many_match_and_can_be_acted_on_stands_above_the_buttons(manager, group):
    reading = make_group(group.stream, "reading", owner=group.owner)
    for offset in (1, 2, 3):
        make_dead_letter(group, offset)
    make_dead_letter(group, 4, event=None)
    make_dead_letter(reading, 5)
    theirs = make_group(group.stream, "theirs", mode="lease", owner=make_user(Role.CONSUMER))
    make_dead_letter(theirs, 6)

    keeper = browser(group.owner)
    assert text_of(page_of(keeper), "totals") == "6 match: 4 can be sent again, 6 can be discarded"
    assert text_of(page_of(keeper, group="reading"), "totals") == "1 matches: 0 can be sent again, 1 can be discarded"
    assert text_of(page_of(browser(theirs.owner)), "totals") == "6 match: 1 can be sent again, 1 can be discarded"


def test_those_without_any_error_are_a_kind_of_their_own(manager, group):
    for offset in (1, 2, 3):
        make_dead_letter(
            group, offset, last_error="" if offset < 3 else "it", error_fingerprint="" if offset < 3 else "f" * 16
        )
    (address,) = re.findall(r'href="(\S*)"><bdi>no error was told<', page_of(manager))
    query = dict(parse_qsl(urlsplit(address.replace("&amp;", "&")).query))
    assert query.pop("status") == "open"

    page = page_of(manager, **query)
    assert listed(page) == [2, 1]
    assert "Clear" in page, "it can be left again"
    assert "Discard 2" in manager.get("/dead-letters/discard", {"scope": "all", **query}).content.decode()
    act(manager, per_second="1", **query)
    assert "fingerprint none" in text_of(page_of(manager), f"bulk-{BulkAction.objects.get().pk}")


def test_a_large_number_is_counted_up_to_a_bound(manager, group, monkeypatch):
    monkeypatch.setattr(dead_letter_list, "SEARCH_DEAD_LETTERS", 3)
    for offset in range(1, 6):
        make_dead_letter(group, offset)
    page = page_of(manager)
    assert listed(page) == [5, 4, 3]
    assert text_of(page, "totals") == "More than 3 match; of the newest 3, 3 can be sent again, 3 can be discarded"
    assert "of the newest 3" in page.split("By error", 1)[1].split("</div>", 1)[0]


def test_pages_of_a_search_are_counted_from_the_newest(manager, group):
    for offset in range(1, 54):
        make_dead_letter(group, offset, last_error="it")
    first = page_of(manager, text="it")
    assert listed(first) == list(range(53, 3, -1))
    (after,) = re.findall(r"after=(\d+)[^>]*>Look further", first)
    second = page_of(manager, text="it", after=after)
    assert listed(second) == [3, 2, 1]
    assert text_of(second, "totals").startswith("53 match")


# --- many ---


def act(client: Client, verb: str = "discard", **fields: str):
    return client.post(f"/dead-letters/{verb}", {"scope": "all", **fields})


def test_all_that_match_are_exactly_those_of_the_filter(manager, group):
    for offset in range(1, 6):
        make_dead_letter(
            group, offset, last_error="IT" if offset < 4 else "else", created_at=NOON + timedelta(hours=offset)
        )
    wanted = {"text": "it", "since": "2026-11-28T14:00"}
    asked = manager.get("/dead-letters/discard", {"scope": "all", **wanted}).content.decode()
    assert "Discard 2" in asked
    assert act(manager, **wanted).status_code == 302
    assert list(DeadLetter.objects.filter(status="discarded").order_by("offset").values_list("offset", flat=True)) == [
        2,
        3,
    ]


@pytest.mark.parametrize("verb", ["redrive", "discard"])
def test_whoever_acts_on_a_choice_comes_back_to_the_list_that_it_was_made_in(manager, group, verb):
    chosen = [make_dead_letter(group, offset, event_type="order.paid").pk for offset in (1, 2)]
    query = {"status": "open", "stream": "orders", "type": "order.paid", "id": chosen}

    asked = manager.get(f"/dead-letters/{verb}", query).content.decode()
    typed = [(name, value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', asked)]
    assert 'href="/dead-letters?stream=orders&amp;status=open&amp;type=order.paid"' in asked, "Cancel leads back too"
    answer = manager.post(f"/dead-letters/{verb}", {name: [v for n, v in typed if n == name] for name, _ in typed})

    assert answer["Location"] == "/dead-letters?stream=orders&status=open&type=order.paid"
    assert not DeadLetter.objects.filter(status="open").exists()


def test_a_choice_of_which_nothing_is_left_is_not_all_that_match(manager, group):
    make_dead_letter(group, 1)
    asked = manager.get("/dead-letters/discard", {"status": "open", "id": ["999"]}).content.decode()
    assert 'name="scope"' not in asked


def test_one_at_a_rate_is_shown_with_who_asked_and_can_be_cancelled(manager, group):
    for offset in range(1, 4):
        make_dead_letter(group, offset)
    act(manager, "redrive", per_second="2", note="slowly", stream="orders")
    action = BulkAction.objects.get()

    shown = text_of(page_of(manager), f"bulk-{action.pk}")
    assert "under way 0 of 3 at most 2 a second, 1 s to go" in shown
    assert f"asked for by {group.owner.email}" in shown
    assert "slowly" in shown
    assert manager.post(f"/dead-letters/bulk-actions/{action.pk}/cancel").status_code == 302
    action.refresh_from_db()
    assert (action.status, action.cancelled_by) == ("cancelled", group.owner.as_caller().reference)
    shown = text_of(page_of(manager), f"bulk-{action.pk}")
    assert f"cancelled by {group.owner.email}" in shown
    assert "Cancel</button>" not in page_of(manager)


def test_those_of_others_are_not_shown_and_not_cancelled(manager, group):
    make_dead_letter(group, 1)
    act(manager, per_second="1")
    action = BulkAction.objects.get()
    reader = browser(make_user(Role.CONSUMER))

    assert f'id="bulk-{action.pk}"' not in page_of(reader)
    assert reader.post(f"/dead-letters/bulk-actions/{action.pk}/cancel").status_code == 404
    action.refresh_from_db()
    assert action.status == "running"


@pytest.mark.parametrize("wrong", ["0", "201", "-1", "fast", "1.5"])
def test_a_rate_that_is_wrong_starts_nothing(manager, group, wrong):
    make_dead_letter(group, 1)
    answer = act(manager, per_second=wrong)
    assert answer.status_code == 422
    assert not BulkAction.objects.exists()


def test_running_ones_come_first_and_those_of_yesterday_not_at_all(manager, group):
    for offset in range(1, 4):
        make_dead_letter(group, offset)
    act(manager, per_second="1", text="nothing has this")
    act(manager, per_second="1")
    act(manager, group="shipping", note="done at once", fingerprint="none")
    finished, running, done = BulkAction.objects.order_by("pk")
    BulkAction.objects.filter(pk=finished.pk).update(finished_at=datetime.now(UTC) - timedelta(days=2))

    page = page_of(manager)
    assert re.findall(r'id="bulk-(\d+)"', page) == [str(running.pk), str(done.pk)]
