"""Alert rules and channels over the API: what is kept, shown, refused and written into the audit trail."""

import base64

import pytest

from accounts.models import AuditEntry, IdempotencyRecord
from accounts.roles import Role
from observability.models import Alert, AlertChannel, AlertRule
from tests.client import ApiClient
from tests.factories import make_dead_letter, make_group, make_owner, make_stream, make_team, make_token, make_user
from tests.observability.alerts.rules import look, make_channel, make_rule

pytestmark = pytest.mark.usefixtures("db_with_commits")
WEBHOOK = {"kind": "webhook", "name": "on call", "url": "https://receiver.example:8443/hook?token=t0ken"}


@pytest.fixture
def owner():
    owner = make_owner()
    make_group(make_stream("orders", owner=owner), "billing")
    return owner


def client_of(user):
    return ApiClient(token=make_token(user))


def faults(answer):
    assert answer.status_code == 422, answer.content
    return {(fault["pointer"], fault["code"]) for fault in answer.json()["errors"]}


def test_a_webhooks_secret_is_shown_once_and_kept_nowhere(owner):
    client = client_of(owner)
    answer = client.post("/alert-channels", WEBHOOK, Idempotency_Key="one")
    made = answer.json()
    assert answer.status_code == 201
    assert made["url"] == "https://receiver.example:8443/…"
    assert len(base64.b64decode(made["secret"].removeprefix("whsec_"))) == 32
    assert "secret" not in client.get(f"/alert-channels/{made['id']}").json()
    assert client.post("/alert-channels", WEBHOOK, Idempotency_Key="one").json()["secret"] is None
    channel = AlertChannel.objects.get()
    raw = base64.b64decode(made["secret"].removeprefix("whsec_"))
    assert raw not in (bytes(channel.secret_seed), channel.secret_mark.encode())
    kept = b"".join(bytes(each.body) for each in IdempotencyRecord.objects.all())
    assert made["secret"].encode() not in kept and b"t0ken" not in kept
    told = str(list(AuditEntry.objects.values()))
    assert "alert_channel.created" in told and "t0ken" not in told and made["secret"] not in told


def test_a_rule_says_what_it_was_asked_for(owner):
    client = client_of(owner)
    channel = client.post("/alert-channels", WEBHOOK).json()["id"]
    body = {"what": "lag", "stream": "orders", "group": "billing", "threshold": 5, "for": 60, "repeat": 3600}
    made = client.post("/alert-rules", body | {"channels": [channel]}).json()
    assert made == client.get(f"/alert-rules/{made['id']}").json()
    assert {name: made[name] for name in body} == body
    assert (made["channels"], made["paused"], made["stopped"], made["owner"]) == ([channel], False, "", owner.email)
    changed = client.patch(f"/alert-rules/{made['id']}", {"threshold": 7, "for": 0, "paused": True}).json()
    assert (changed["threshold"], changed["for"], changed["repeat"], changed["paused"]) == (7, 0, 3600, True)
    entry = AuditEntry.objects.get(action="alert_rule.changed")
    assert (entry.before, entry.after) == (
        {"threshold": 5, "for_seconds": 60, "is_paused": False},
        {"threshold": 7, "for_seconds": 0, "is_paused": True},
    )
    assert (entry.stream, entry.group) == ("orders", "billing")
    assert client.delete(f"/alert-rules/{made['id']}").status_code == 204
    assert not AlertRule.objects.exists()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"what": "weather"}, ("/what", "invalid_choice")),
        ({"what": "retention_risk", "threshold": -1}, ("/threshold", "out_of_range")),
        ({"threshold": 0}, ("/threshold", "out_of_range")),
        ({"threshold": 1.5}, ("/threshold", "invalid")),
        ({"stream": None}, ("/stream", "required")),
        ({"what": "silent_producer"}, ("/group", "not_possible")),
        ({"for": 8 * 86400}, ("/for", "out_of_range")),
        ({"repeat": 59}, ("/repeat", "out_of_range")),
        ({"channels": []}, ("/channels", "min_length")),
        ({"channels": [999]}, ("/channels", "alert_channel_not_found")),
        ({"channels": ["1"]}, ("/channels/0", "invalid")),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_at_its_field(owner, change, fault):
    body = {"what": "lag", "stream": "orders", "group": "billing", "threshold": 5}
    body["channels"] = [make_channel(owner).pk]
    assert fault in faults(client_of(owner).post("/alert-rules", body | change))
    assert not AlertRule.objects.exists()


def test_the_installation_is_for_admins_and_has_no_streams(owner):
    admin = make_user(Role.ADMIN)
    for user, expected in ((owner, 403), (admin, 201)):
        body = {"what": "disk", "threshold": 85, "channels": [make_channel(user).pk]}
        assert client_of(user).post("/alert-rules", body).status_code == expected
        assert ("/stream", "not_possible") in faults(client_of(user).post("/alert-rules", body | {"stream": "orders"}))
    assert ("/threshold", "out_of_range") in faults(client_of(admin).post("/alert-rules", body | {"threshold": 101}))


def test_a_channel_of_somebody_else_is_none(owner):
    theirs = make_channel(make_owner())
    body = {"what": "lag", "threshold": 5, "channels": [theirs.pk]}
    assert ("/channels", "alert_channel_not_found") in faults(client_of(owner).post("/alert-rules", body))
    # An admin sees it; rules of the owner still cannot use it.
    admin, rule = client_of(make_user(Role.ADMIN)), make_rule(owner, "lag")
    answer = admin.patch(f"/alert-rules/{rule.pk}", {"channels": [theirs.pk]})
    assert ("/channels", "alert_channel_not_found") in faults(answer)


def test_a_team_owns_rules_and_channels_that_its_members_manage(owner):
    make_team("ops", owner, mate := make_owner())
    client, mates = client_of(owner), client_of(mate)
    channel = client.post("/alert-channels", WEBHOOK | {"owner": "ops"}).json()
    assert channel["owner"] == "ops"
    body = {"what": "lag", "threshold": 5, "channels": [channel["id"]], "owner": "ops"}
    rule = client.post("/alert-rules", body).json()
    assert mates.patch(f"/alert-rules/{rule['id']}", {"paused": True}).status_code == 200
    # A member's own channel is not for the others' alerts.
    own = make_channel(mate)
    answer = mates.patch(f"/alert-rules/{rule['id']}", {"channels": [own.pk]})
    assert ("/channels", "alert_channel_not_found") in faults(answer)
    assert client_of(make_owner()).get(f"/alert-rules/{rule['id']}").status_code == 404


def test_a_channel_in_use_stays(owner):
    channel = make_channel(owner)
    rule = make_rule(owner, "lag", channel)
    client = client_of(owner)
    answer = client.delete(f"/alert-channels/{channel.pk}")
    assert (answer.status_code, answer.json()["code"]) == (409, "alert_channel_in_use")
    client.delete(f"/alert-rules/{rule.pk}")
    assert client.delete(f"/alert-channels/{channel.pk}").status_code == 204


def test_one_owner_has_so_many_and_no_more(owner, settings):
    settings.QUOTAS = settings.QUOTAS | {"alert_rules": 1, "alert_channels": 1}
    rule, client = make_rule(owner, "lag"), client_of(owner)
    body = {"what": "lag", "threshold": 1, "channels": [rule.channels.get().pk]}
    answers = [client.post("/alert-rules", body), client.post("/alert-channels", WEBHOOK)]
    assert [(each.status_code, each.json()["quota"]) for each in answers] == [
        (507, "alert_rules"),
        (507, "alert_channels"),
    ]


def test_a_mail_channel_takes_a_server_and_the_address_of_oneself_or_an_admin(owner, settings):
    body = {"kind": "email", "name": "me", "address": owner.email}
    assert ("/kind", "email_not_configured") in faults(client_of(owner).post("/alert-channels", body))
    settings.MAIL_SERVER = object()
    assert client_of(owner).post("/alert-channels", body).json()["address"] == owner.email
    other = body | {"address": "boss@example.com"}
    assert ("/address", "not_yours") in faults(client_of(owner).post("/alert-channels", other))
    assert client_of(make_user(Role.ADMIN)).post("/alert-channels", other).status_code == 201
    for wrong in ("nobody", "a@example.com\nBcc: b@example.com", "a@example.com,b@example.com"):
        answer = client_of(make_user(Role.ADMIN)).post("/alert-channels", other | {"address": wrong})
        assert ("/address", "invalid") in faults(answer)


def test_each_kind_has_its_own_address(owner):
    client = client_of(owner)
    for body, pointer in (
        ({"kind": "webhook", "name": "n"}, "/url"),
        ({"kind": "slack", "name": "n", "address": "a@example.com"}, "/address"),
        ({"kind": "email", "name": "n", "url": "https://receiver.example/"}, "/url"),
    ):
        assert pointer in {pointer for pointer, _ in faults(client.post("/alert-channels", body))}


def test_a_test_is_a_row_to_be_sent_and_not_asked_for_again_and_again(owner):
    channel, client = make_channel(owner), client_of(owner)
    test = client.post(f"/alert-channels/{channel.pk}/test")
    assert (test.status_code, test.json()["status"], test.json()["occasion"]) == (202, "waiting", "test")
    assert client.get(f"/alert-channels/{channel.pk}").json()["last_notification"] == test.json()
    again = client.post(f"/alert-channels/{channel.pk}/test")
    assert (again.status_code, again.json()["code"]) == (409, "alert_test_under_way")
    assert AuditEntry.objects.filter(action="alert_channel.tested").count() == 1


def test_what_fires_is_listed_for_those_whose_rule_it_is(owner):
    make_dead_letter(make_group(make_stream("more", owner=owner), "g"))
    make_rule(owner, "dead_letters")
    make_rule(owner, "lag", for_seconds=60)
    look()
    (alert,) = client_of(owner).get("/alerts", state="firing").json()["data"]
    assert (alert["subject"], alert["value"], alert["threshold"], alert["ended_at"]) == ("more/g", 1.0, 1, None)
    assert client_of(owner).get("/alerts", state="resolved").json()["data"] == []
    assert client_of(make_owner()).get("/alerts").json()["data"] == []
    assert len(client_of(make_user(Role.ADMIN)).get("/alerts").json()["data"]) == 1
    assert client_of(owner).get("/alerts", state="pending").status_code == 422


def test_a_group_or_stream_that_is_deleted_takes_its_rules_along(owner):
    rule = make_rule(owner, "lag", stream="orders", group="billing", threshold=1)
    make_rule(owner, "dead_letters", rule.channels.get())
    make_dead_letter(rule.group)
    look()
    rule.group.delete()
    assert [each.what for each in AlertRule.objects.all()] == ["dead_letters"]
    assert look() == []
    assert Alert.objects.get().state == "stopped"
