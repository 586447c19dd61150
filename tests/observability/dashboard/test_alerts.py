"""The page of alerts: rules, channels, what fires; and that nothing on it is believed that others have named."""

import json
import re

import pytest
from django.test import Client

from accounts.roles import Role
from observability.models import AlertChannel, AlertNotification, AlertRule
from tests.factories import make_dead_letter, make_group, make_owner, make_stream, make_team, make_user
from tests.observability.alerts.rules import look, make_channel, make_rule

pytestmark = pytest.mark.usefixtures("db_with_commits")
BACKEND = "django.contrib.auth.backends.ModelBackend"
HTMX = {"HX-Request": "true"}


def client_of(user):
    client = Client()
    client.force_login(user, BACKEND)
    return client


@pytest.fixture
def owner():
    owner = make_owner()
    make_group(make_stream("orders", owner=owner), "billing")
    return owner


def page(user):
    return client_of(user).get("/alerts").content.decode()


def test_an_empty_page_says_what_to_do(owner):
    assert "Nothing is watched yet" in page(owner)


def test_it_shows_what_fires_with_a_link_and_the_overview_leads_there(owner):
    make_rule(owner, "dead_letters", stream="orders", group="billing", threshold=1)
    make_dead_letter(AlertRule.objects.get().group)
    assert "of your rules" not in client_of(owner).get("/").content.decode()
    look()
    shown = page(owner)
    assert "firing" in shown and "/streams/orders/consumer-groups/billing" in shown
    overview = client_of(owner).get("/").content.decode()
    assert "<strong>1 alert</strong> of your rules fires" in overview
    assert "of your rules" not in client_of(make_owner()).get("/").content.decode()


def test_a_webhook_is_made_with_its_secret_shown_once(owner):
    client = client_of(owner)
    values = {"kind": "webhook", "name": "on call", "url": "https://receiver.example/x?t0ken", "idempotency_key": "k1"}
    made = client.post("/alerts/channels/new", values).content.decode()
    secret = re.search(r"whsec_[A-Za-z0-9+/=]+", made)[0]
    again = client.post("/alerts/channels/new", values).content.decode()
    assert secret not in again and "The channel was made" in again
    assert AlertChannel.objects.count() == 1
    shown = page(owner)
    assert "https://receiver.example/…" in shown and "t0ken" not in shown and secret not in shown


def test_a_refused_channel_keeps_what_was_typed_and_says_what_is_wrong_where(owner):
    values = {"kind": "webhook", "name": "on call", "url": "https://10.0.0.1/"}
    answer = client_of(owner).post("/alerts/channels/new", values, headers=HTMX)
    assert answer.status_code == 422
    shown = answer.content.decode()
    assert 'value="https://10.0.0.1/"' in shown
    assert re.search(r'id="h-url">[^<]*no place on the internet', shown)
    mail = client_of(owner).post(
        "/alerts/channels/new", {"kind": "email", "name": "n", "address": owner.email}, headers=HTMX
    )
    assert "EMAIL_URL" in mail.content.decode()


def test_a_rule_is_made_changed_paused_and_deleted(owner):
    client, channel = client_of(owner), make_channel(owner)
    values = {
        "what": "lag", "stream": "orders", "group": "", "threshold": "5", "for": "60", "repeat": "3600", "channels": [channel.pk],
    }  # fmt: skip
    assert client.post("/alerts/rules/new", values).status_code == 302
    rule = AlertRule.objects.get()
    assert (rule.what, rule.stream.name, rule.group, rule.threshold) == ("lag", "orders", None, 5)
    form = client.get(f"/alerts/rules/{rule.pk}/change").content.decode()
    assert 'value="5"' in form and 'value="60"' in form
    changed = values | {"threshold": "7", "for": "0", "repeat": "0"}
    assert client.post(f"/alerts/rules/{rule.pk}/change", changed).status_code == 302
    client.post(f"/alerts/rules/{rule.pk}/pause")
    rule.refresh_from_db()
    assert (rule.threshold, rule.for_seconds, rule.repeat_seconds, rule.is_paused) == (7, 0, 0, True)
    assert "paused" in page(owner)
    client.post(f"/alerts/rules/{rule.pk}/pause")
    rule.refresh_from_db()
    assert not rule.is_paused
    # A second click, or one on a page of somebody else, means the same.
    for wanted in ("on", "on", "off", "off"):
        client.post(f"/alerts/rules/{rule.pk}/pause", {"paused": wanted})
        rule.refresh_from_db()
        assert rule.is_paused is (wanted == "on")
    assert "Delete this rule?" in client.get(f"/alerts/rules/{rule.pk}/delete").content.decode()
    client.post(f"/alerts/rules/{rule.pk}/delete")
    assert not AlertRule.objects.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"threshold": ""}, "threshold"),
        ({"threshold": "many"}, "threshold"),
        ({"stream": "nowhere"}, "stream"),
        ({"group": "nobody"}, "stream"),
        ({"what": "weather"}, None),
        ({"channels": []}, None),
    ],
)
def test_a_refused_rule_says_what_is_wrong_where(owner, change, field):
    values = {"what": "lag", "stream": "orders", "threshold": "5", "repeat": "0", "channels": [make_channel(owner).pk]}
    answer = client_of(owner).post("/alerts/rules/new", values | change, headers=HTMX)
    assert answer.status_code == 422
    shown = answer.content.decode()
    assert f'id="h-{field}"' in shown if field else "field-error" in shown
    assert not AlertRule.objects.exists()


def test_the_test_button_sends_a_test_and_its_outcome_is_shown(owner):
    channel, client = make_channel(owner), client_of(owner)
    answer = client.post(f"/alerts/channels/{channel.pk}/test", headers=HTMX)
    assert "goes out within seconds" in json.loads(answer["HX-Trigger"])["toast"]["title"]
    assert "on its way" in page(owner)
    AlertNotification.objects.update(status="failed", last_error="It answered 500.", ended_at=channel.created_at)
    assert "It answered 500." in page(owner)
    again = client.post(f"/alerts/channels/{channel.pk}/test", headers=HTMX)
    assert again.status_code == 409


def test_the_page_of_a_group_begins_a_rule_about_it(owner):
    client = client_of(owner)
    shown = client.get("/streams/orders/consumer-groups/billing").content.decode()
    address = re.search(r'href="(/alerts/rules/new[^"]*)"', shown)[1].replace("&amp;", "&")
    form = client.get(address).content.decode()
    assert 'value="orders"' in form and 'value="billing"' in form
    # A stream that its owner may not see is a word like any other.
    assert 'value="&lt;b&gt;"' in client.get("/alerts/rules/new?stream=<b>").content.decode()


def test_a_stopped_rule_says_why(owner):
    make_rule(owner, "lag")
    AlertRule.objects.update(stopped="not_visible")
    assert "its owner may no longer see that" in page(owner)


def test_only_admins_are_offered_the_installation_and_see_what_is_everybodys(owner):
    make_rule(owner, "lag", make_channel(owner, name="theirs"))
    admin = make_user(Role.ADMIN)
    for user, offered in ((owner, False), (admin, True)):
        assert ('value="disk"' in client_of(user).get("/alerts/rules/new").content.decode()) is offered
    assert "theirs" in page(admin) and "theirs" not in page(make_owner())


def test_a_team_can_be_chosen_as_the_owner(owner):
    make_team("ops", owner)
    client = client_of(owner)
    values = {"kind": "slack", "name": "n", "url": "https://hooks.example/x", "owner": "ops"}
    client.post("/alerts/channels/new", values)
    assert AlertChannel.objects.get().owner_team.name == "ops"


@pytest.mark.parametrize(
    "path", ["rules/{}/change", "rules/{}/pause", "rules/{}/delete", "channels/{}/test", "channels/{}/delete"]
)
@pytest.mark.parametrize("wanted", ["{own}", "999999", "x", "0", "1" * 30])
def test_what_is_somebody_elses_is_missing(owner, path, wanted):
    rule = make_rule(owner, "lag")
    own = rule.pk if "rules" in path else rule.channels.get().pk
    address = f"/alerts/{path.format(wanted.replace('{own}', str(own)))}"
    assert client_of(make_owner()).post(address).status_code == 404
    assert AlertRule.objects.filter(is_paused=False).count() == AlertChannel.objects.count() == 1


def test_hostile_names_are_only_text(owner):
    hostile = "<img src=x onerror=alert(1)>\u202e{{7*7}}"
    AlertChannel.objects.filter(pk=make_channel(owner).pk).update(name=hostile)
    make_rule(owner, "lag", AlertChannel.objects.get())
    channel = AlertChannel.objects.get()
    for address in ("/alerts", "/alerts/rules/new", f"/alerts/channels/{channel.pk}/delete"):
        shown = client_of(owner).get(address).content.decode()
        assert "<img src=x" not in shown and "&lt;img src=x" in shown


def test_its_queries_do_not_grow_with_what_it_shows(owner, django_assert_num_queries):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client = client_of(owner)

    def cost():
        client.get("/alerts")
        with CaptureQueriesContext(connection) as captured:
            client.get("/alerts")
        return len(captured)

    make_dead_letter(make_rule(owner, "dead_letters", stream="orders", group="billing").group)
    look()
    few = cost()
    for number in range(8):
        group = make_group(AlertRule.objects.first().stream, f"g{number}")
        make_rule(owner, "dead_letters", stream="orders", group=group.name)
        make_dead_letter(group)
    look()
    assert cost() == few
