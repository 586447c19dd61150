"""Times in the zone that a person chose: shown in it, typed in it, and the same for everybody who gets the address."""

import re
from datetime import UTC, datetime

import pytest
from django.test import Client
from django.utils import timezone

from accounts.errors import InvalidParameter
from accounts.models import ApiKey, User
from accounts.roles import Role
from accounts.time_zones import find_zone, offered_zones
from observability.dashboard.templatetags.eventflow import moment
from observability.dashboard.typed_times import field_text, moment_of
from tests.client import ApiClient
from tests.factories import make_group, make_key, make_stream, make_user

BERLIN = "Europe/Berlin"
SUMMER, WINTER = datetime(2026, 7, 1, 10, tzinfo=UTC), datetime(2026, 12, 1, 10, tzinfo=UTC)


def signed_in(user):
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


def field(html, name):
    [found] = re.findall(rf'<input[^>]*name="{name}"[^>]*>', html.decode())
    return re.search(r'value="([^"]*)"', found)[1]


@pytest.mark.parametrize(
    ("zone", "at", "text"),
    [
        ("UTC", SUMMER, "2026-07-01 10:00:00 UTC"),
        (BERLIN, SUMMER, "2026-07-01 12:00:00 UTC+02:00"),
        (BERLIN, WINTER, "2026-12-01 11:00:00 UTC+01:00"),
        ("Asia/Kolkata", WINTER, "2026-12-01 15:30:00 UTC+05:30"),
        # Where it is the same as UTC at that time, it is the same.
        ("Europe/London", WINTER, "2026-12-01 10:00:00 UTC"),
    ],
)
def test_a_time_is_written_in_the_zone_and_says_how_far_it_is_from_utc(zone, at, text):
    with timezone.override(zone):
        shown = moment(at, "full")
    assert f">{text}<" in shown
    assert f'datetime="{at:%Y-%m-%dT%H:%M:%S}.000Z"' in shown


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-07-01T12:00", SUMMER),
        ("2026-12-01T11:00:00", WINTER),
        # What says its own offset needs no zone: so a script writes it.
        ("2026-12-01T10:00:00.000Z", WINTER),
        ("2026-12-01T15:30:00+05:30", WINTER),
    ],
)
def test_a_time_is_meant_in_the_zone_of_its_form(text, meant):
    assert moment_of(text, zone=BERLIN) == meant
    with timezone.override(BERLIN):
        assert moment_of(text) == meant


@pytest.mark.parametrize("text", ["2026-03-29T02:00", "2026-03-29T02:30", "2026-03-29T02:59:59"])
@pytest.mark.parametrize("is_end", [False, True])
def test_a_time_that_clocks_skip_is_refused_and_said(text, is_end):
    with pytest.raises(InvalidParameter) as refused:
        moment_of(text, "from", zone=BERLIN, is_end=is_end)
    assert refused.value.parameter == "from"
    assert refused.value.fault == f"Clocks in {BERLIN} skip this time: there is no {text[11:16]} on that day."


@pytest.mark.parametrize("text", ["2026-03-29T01:59:59", "2026-03-29T03:00"])
def test_the_times_around_the_skipped_hour_are_there(text):
    hour = int(text[11:13])
    assert moment_of(text, zone=BERLIN).astimezone(UTC).hour == (0 if hour == 1 else 1)


def test_of_an_hour_that_comes_twice_a_range_has_both():
    text = "2026-10-25T02:30"
    assert moment_of(text, zone=BERLIN).astimezone(UTC) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert moment_of(text, zone=BERLIN, is_end=True).astimezone(UTC) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "now", "2026-13-01T00:00", "0001-01-01T00:00"])
def test_what_is_no_time_is_said_at_its_field(text):
    with pytest.raises(InvalidParameter):
        moment_of(text, zone=BERLIN)
    assert field_text(text, BERLIN) == text


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "Europe", "/etc/localtime", "Europe/Ber\x00lin"])
def test_a_form_that_names_no_zone_is_refused(zone):
    assert find_zone(zone) is None
    with pytest.raises(InvalidParameter):
        moment_of("2026-12-01T11:00", zone=zone)


def test_zones_of_the_machine_itself_are_not_offered():
    assert {"UTC", BERLIN, "America/Argentina/Buenos_Aires"} <= offered_zones()
    assert not {"localtime", "posixrules", "Factory", "EST", "Etc/GMT-3", "posix/Europe/Berlin"} & offered_zones()


@pytest.mark.django_db
def test_a_person_chooses_a_zone_and_takes_it_back():
    user = make_user(Role.CONSUMER)
    browser = signed_in(user)
    assert b'name="eventflow-zone" content=""' in browser.get("/account").content

    assert browser.post("/account/time-zone", {"time_zone": BERLIN}).status_code == 302
    page = browser.get("/account").content.decode()
    assert re.search(rf'<option value="{BERLIN}"\s+selected>', page)
    assert f'name="eventflow-zone" content="{BERLIN}"' in page
    assert re.search(r"Now it is <time[^>]*>[^<]* UTC\+0[12]:00</time>", page)

    browser.post("/account/time-zone", {"time_zone": ""})
    assert b'name="eventflow-zone" content=""' in browser.get("/account").content


@pytest.mark.django_db
@pytest.mark.parametrize("zone", ["Mars/Olympus", "../UTC", "Etc/GMT-3", "x" * 100])
def test_a_zone_that_is_not_offered_is_refused_at_its_field(zone):
    user = make_user(Role.CONSUMER)
    answer = signed_in(user).post("/account/time-zone", {"time_zone": zone})

    assert answer.status_code == 422
    assert b'id="h-zone">Choose one of the list.' in answer.content
    user.refresh_from_db()
    assert user.time_zone == ""


@pytest.mark.django_db
def test_a_zone_that_the_machine_does_not_know_any_more_is_as_none():
    user = make_user(Role.CONSUMER)
    User.objects.filter(pk=user.pk).update(time_zone="Europe/Atlantis")
    answer = signed_in(user).get("/account")
    assert answer.status_code == 200
    assert b'name="eventflow-zone" content=""' in answer.content


@pytest.mark.usefixtures("db_with_commits")
@pytest.mark.parametrize(
    ("zone", "shown"), [("", "2026-12-01T10:00"), (BERLIN, "2026-12-01T11:00"), ("Asia/Kolkata", "2026-12-01T15:30")]
)
def test_an_address_means_the_same_to_whoever_gets_it(zone, shown):
    owner = make_user(Role.PRODUCER, Role.CONSUMER)
    User.objects.filter(pk=owner.pk).update(time_zone=zone)
    make_stream("orders", owner=owner)
    browser = signed_in(owner)
    for query in ("time=2026-12-01T11:00&zone=Europe/Berlin", "time=2026-12-01T10:00:00.000Z&zone=UTC"):
        html = browser.get(f"/streams/orders/events?from=time&{query}").content
        assert field(html, "time")[:16] == shown
        # What is typed instead is meant in the zone of whoever types.
        assert field(html, "zone") == (zone or "UTC")


@pytest.mark.usefixtures("db_with_commits")
def test_a_form_that_was_opened_before_the_zone_was_changed_means_what_it_said():
    owner = make_user(Role.PRODUCER, Role.CONSUMER)
    make_group(make_stream("orders", owner=owner), "billing")
    User.objects.filter(pk=owner.pk).update(time_zone="Asia/Tokyo")
    sought = {"to": "timestamp", "time": "2026-03-29T02:30", "partition": ""}
    seek = "/streams/orders/consumer-groups/billing/seek"
    browser = signed_in(owner)

    # Skipped in Berlin, there in Tokyo.
    assert "skip this time" in browser.get(seek, {**sought, "zone": BERLIN}).content.decode()
    assert "skip this time" not in browser.get(seek, {**sought, "zone": "Asia/Tokyo"}).content.decode()
    assert "skip this time" not in browser.get(seek, sought).content.decode()


@pytest.mark.usefixtures("db_with_commits")
def test_the_api_and_files_stay_in_utc():
    owner = make_user(Role.PRODUCER, Role.CONSUMER)
    User.objects.filter(pk=owner.pk).update(time_zone="Asia/Tokyo")
    make_stream("orders", owner=owner)
    api = ApiClient(key=make_key(owner))
    api.post("/events", {"stream": "orders", "payload": 1})
    recorded = api.get("/streams/orders/events/0/1").json()["recorded_at"]
    assert recorded.endswith("Z")
    lines = b"".join(signed_in(owner).get("/streams/orders/events/file?as=csv").streaming_content).decode()
    assert f",{recorded.removesuffix('Z')}+00:00," in lines
    assert api.get("/streams/orders").json()["created_at"].endswith("Z")


@pytest.mark.usefixtures("db_with_commits")
@pytest.mark.parametrize("zone", [BERLIN, "America/New_York"])
def test_times_at_the_ends_of_all_years_are_shown_in_every_zone(zone):
    ada = make_user(Role.PRODUCER, Role.CONSUMER, time_zone=zone)
    make_stream("orders", owner=ada)
    api = ApiClient(key=make_key(ada))
    ends = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"]
    sent = api.post("/events", [{"stream": "orders", "payload": 1, "occurred_at": at} for at in ends])
    assert sent.status_code == 202
    ApiKey.objects.update(expires_at=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
    client = signed_in(ada)

    for offset, at in enumerate(ends, 1):
        page = client.get(f"/streams/orders/events/0/{offset}")
        assert page.status_code == 200
        assert f'datetime="{at[:-1]}.000Z"' in page.content.decode()
    keys = client.get("/keys")
    assert keys.status_code == 200
    assert "9999-12-31" in keys.content.decode()
    assert client.get(f"/keys/{ApiKey.objects.get().key_id}/revoke").status_code == 200
