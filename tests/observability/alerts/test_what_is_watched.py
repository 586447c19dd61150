"""Each kind of rule finds what it is for, with the rights of its owner."""

import re
from datetime import timedelta

import pytest
from django.db import Error
from django.utils import timezone

from accounts.roles import Role
from accounts.services.teams import add_member, remove_member
from consumers.models import GroupMember
from consumers.services.losses import acknowledge_loss
from observability.alerts.wording import say_resolved
from observability.models import AlertChannel, AlertNotification, AlertRule, DiskSample, RejectedAppends
from observability.numbers.rejections import write_rejections
from observability.tasks import delete_old_alerts
from streams.log.engines import get_engines
from streams.models import Partition, StreamGrant
from tests.client import ApiClient
from tests.consumers.leases import info
from tests.consumers.test_losses import take
from tests.factories import (
    make_dead_letter,
    make_group,
    make_key,
    make_owner,
    make_stream,
    make_team,
    make_user,
)
from tests.observability.alerts.rules import look, make_channel, make_rule, texts

pytestmark = pytest.mark.usefixtures("db_with_commits")


@pytest.fixture(autouse=True)
def nothing_is_noted():
    write_rejections()
    RejectedAppends.objects.all().delete()


def append(owner, stream, count=1):
    answer = ApiClient(key=make_key(owner)).post(f"/streams/{stream.name}/events", [{"payload": 1}] * count)
    assert answer.status_code == 202


def test_open_dead_letters_from_the_threshold_on():
    owner = make_owner()
    group = make_group(make_stream("orders", owner=owner), "billing", mode="lease")
    make_rule(owner, "dead_letters", stream="orders", group="billing", threshold=2)
    make_dead_letter(group, 1)
    assert look() == []
    make_dead_letter(group, 2)
    make_dead_letter(group, 3, status="redriven")
    assert look() == [("fired", "orders/billing")]
    assert re.fullmatch(
        r"orders/billing has 2 open dead letters \(threshold 2\) since 20\d\d-\d\d-\d\d \d\d:\d\d UTC\.", texts()[0]
    )


def test_lag_in_events():
    owner = make_owner()
    stream = make_stream("orders", owner=owner)
    make_group(stream, "billing")
    make_rule(owner, "lag", stream="orders", group="billing", threshold=3)
    append(owner, stream, 2)
    assert look() == []
    append(owner, stream)
    assert look() == [("fired", "orders/billing")]
    assert texts()[0].startswith("orders/billing is 3 events behind (threshold 3)")


def test_lag_in_seconds():
    owner = make_owner()
    stream = make_stream("orders", owner=owner)
    make_group(stream, "billing")
    make_rule(owner, "lag_seconds", stream="orders", threshold=3600)
    assert look() == []
    append(owner, stream)
    assert look() == []
    AlertRule.objects.update(threshold=0)
    assert look() == [("fired", "orders/billing")]


def test_a_group_that_nobody_reads_as_since_it_was_made_or_since_the_last_one_did():
    owner = make_owner()
    stream = make_stream("orders", owner=owner)
    old, fresh, read, paused = (make_group(stream, name) for name in ("old", "fresh", "read", "paused"))
    type(old).objects.exclude(pk=fresh.pk).update(created_at=timezone.now() - timedelta(hours=2))
    type(old).objects.filter(pk=paused.pk).update(is_paused=True)
    GroupMember.objects.create(group=read, name="m", last_seen_at=timezone.now())
    make_rule(owner, "silent_group", stream="orders", threshold=3600)
    assert look() == [("fired", "orders/old")]
    GroupMember.objects.update(last_seen_at=timezone.now() - timedelta(hours=3))
    assert look() == [("fired", "orders/read")]
    GroupMember.objects.create(group=old, name="m", last_seen_at=timezone.now())
    assert look() == [("resolved", "orders/old")]
    assert texts()[-1].startswith("Resolved: orders/old is no longer silent")
    type(old).objects.filter(pk=read.pk).update(is_paused=True)
    assert look() == [("resolved", "orders/read")]
    assert texts()[-1].startswith("Resolved: orders/read is paused")


def test_a_stream_that_nobody_appends_to():
    owner = make_owner()
    stream, _ = make_stream("orders", owner=owner), make_stream("paused", owner=owner, is_paused=True)
    append(owner, stream)
    type(stream).objects.update(created_at=timezone.now() - timedelta(hours=2))
    make_rule(owner, "silent_producer", threshold=3600)
    assert look() == []
    Partition.objects.filter(stream=stream).update(last_recorded_at=timezone.now() - timedelta(hours=2))
    assert look() == [("fired", "orders")]
    assert texts()[0].startswith("orders has got no event for 2 h")


def test_retention_that_comes_near():
    owner = make_owner()
    stream = make_stream("orders", owner=owner, retention_max_age_seconds=3600)
    make_group(stream, "billing")
    make_rule(owner, "retention_risk", stream="orders", group="billing", threshold=60)
    append(owner, stream)
    assert look() == []
    AlertRule.objects.update(threshold=7200)
    assert look() == [("fired", "orders/billing")]
    assert "Retention takes events in 59 min" in texts()[0]
    type(stream).objects.update(retention_max_age_seconds=3 * 3600)
    assert look() == [("resolved", "orders/billing")]
    assert texts()[1].startswith("Resolved: Retention takes events in 2 h 59 min that orders/billing has not finished")
    type(stream).objects.update(retention_max_age_seconds=3600)
    assert look() == [("fired", "orders/billing")]
    type(stream).objects.update(retention_max_age_seconds=None)
    assert look() == [("resolved", "orders/billing")]
    assert texts()[3].startswith("Resolved: Retention no longer reaches what orders/billing has not finished")


def test_what_retention_took_unfinished_until_somebody_acknowledges_it():
    owner = make_owner()
    stream = make_stream("orders", owner=owner)
    group = make_group(stream, "billing")
    make_rule(owner, "lost", stream="orders", threshold=2)
    append(owner, stream)
    append(owner, stream)
    append(owner, stream)
    take(group, keep=2)
    assert look() == []
    take(group, keep=1)
    assert look() == [("fired", "orders/billing")]
    assert texts()[0].startswith("orders/billing has lost 2 events to retention (threshold 2)")
    acknowledge_loss(stream=info(group), group=group, lost_total=2)
    assert look() == [("resolved", "orders/billing")]
    assert texts()[1].startswith("Resolved: What orders/billing has lost was acknowledged")


def test_of_what_was_lost_or_is_away_and_does_not_reach_the_threshold_any_more_the_rest_is_told():
    since = timezone.now()
    told = [
        say_resolved(what=what, subject="orders/billing", value=value, threshold=3, since=since, until=since)
        for what, value in (("lost", 2.0), ("engines", 1.0), ("lost", 0.0), ("engines", 0.0))
    ]
    assert told == [
        "Resolved: orders/billing has lost 2 events to retention (threshold 3); it lasted 0 s.",
        "Resolved: 1 engine beside PostgreSQL cannot be reached (threshold 3); it lasted 0 s.",
        "Resolved: What orders/billing has lost was acknowledged (threshold 3); it lasted 0 s.",
        "Resolved: No engine is away (threshold 3); it lasted 0 s.",
    ]


def test_a_disk_that_fills_and_what_is_not_known_changes_nothing():
    admin = make_user(Role.ADMIN)
    make_rule(admin, "disk", threshold=85)
    assert look() == []
    now = timezone.now()
    DiskSample.objects.create(period=now, measured_at=now, used_bytes=84, capacity_bytes=100)
    assert look() == []
    DiskSample.objects.update(used_bytes=91)
    assert look() == [("fired", "")]
    assert texts()[0].startswith("The disk of the log is 91 % full (threshold 85 %)")
    DiskSample.objects.all().delete()
    assert look() == []
    DiskSample.objects.create(period=now, measured_at=now, used_bytes=50, capacity_bytes=100)
    assert look() == [("resolved", "")]


def test_appends_that_are_refused_and_nothing_else_that_is():
    admin, owner = make_user(Role.ADMIN), make_owner()
    make_stream("orders", owner=owner, is_paused=True)
    make_rule(admin, "rejections", threshold=4)
    client = ApiClient(key=make_key(owner))
    client.get("/streams/nowhere/events")
    client.post("/streams/orders/consumer-groups", {})
    client.post("/streams/orders/events", {"payload": 1})
    client.post("/events", {"stream": "nowhere", "payload": 1})
    ApiClient().post("/events", {"stream": "orders", "payload": 1})
    assert (write_rejections(), write_rejections(), look()) == (3, 0, [])
    client.post("/events", b"{")
    write_rejections()
    assert look() == [("fired", "")]
    assert texts()[0].startswith("4 appends refused in 5 min (threshold 4)")
    RejectedAppends.objects.update(minute=timezone.now() - timedelta(minutes=6))
    assert look() == [("resolved", "")]
    RejectedAppends.objects.update(minute=timezone.now() - timedelta(hours=2))
    assert delete_old_alerts() == 1


def test_engines_that_are_away(distant):
    def let_be(*, away):
        distant.weather.is_away = away
        get_engines()._healths.forget()

    make_rule(make_user(Role.ADMIN), "engines")
    assert look() == []
    let_be(away=True)
    assert look() == [("fired", "")]
    assert texts()[0].startswith("1 engine beside PostgreSQL cannot be reached (threshold 1)")
    let_be(away=False)
    assert look() == [("resolved", "")]
    assert texts()[1].startswith("Resolved: No engine is away")


def test_refusals_that_cannot_be_written_down_now_are_later(monkeypatch):
    client = ApiClient()
    client.post("/events", {"stream": "orders", "payload": 1})
    with monkeypatch.context() as patch:
        patch.setattr(type(RejectedAppends.objects), "bulk_create", lambda *_, **__: (_ for _ in ()).throw(Error))
        with pytest.raises(Error):
            write_rejections()
    assert write_rejections() == 1


def test_a_rule_without_a_stream_is_about_all_that_its_owner_may_see_at_that_moment():
    reader, stranger = make_user(Role.CONSUMER), make_owner()
    for name, visibility in (("open", "internal"), ("closed", "restricted")):
        make_dead_letter(make_group(make_stream(name, owner=stranger, visibility=visibility), "billing"))
    make_rule(reader, "dead_letters")
    assert look() == [("fired", "open/billing")]
    closed = make_stream("later", owner=stranger, visibility="restricted")
    make_dead_letter(make_group(closed, "billing"))
    StreamGrant.objects.create(stream=closed, user=reader, rights=["consume"], granted_by="x")
    assert look() == [("fired", "later/billing")]


def test_a_right_that_was_revoked_ends_the_alert_tells_nobody_and_is_shown():
    reader, owner = make_user(Role.CONSUMER), make_owner()
    stream = make_stream("orders", owner=owner, visibility="restricted")
    grant = StreamGrant.objects.create(stream=stream, user=reader, rights=["consume"], granted_by="x")
    group = make_group(stream, "billing")
    make_dead_letter(group)
    rule = make_rule(reader, "dead_letters", stream="orders", group="billing")
    assert look() == [("fired", "orders/billing")]
    grant.delete()
    make_dead_letter(group, 2)
    assert look() == []
    rule.refresh_from_db()
    assert (rule.stopped, rule.alerts.get().state, rule.alerts.get().value) == ("not_visible", "stopped", 1)
    StreamGrant.objects.create(stream=stream, user=reader, rights=["consume"], granted_by="x")
    assert look() == [("fired", "orders/billing")]
    rule.refresh_from_db()
    assert rule.stopped == ""


@pytest.mark.parametrize(
    ("change", "stopped"),
    [
        (lambda admin: type(admin).objects.update(is_active=False), "owner_disabled"),
        (lambda admin: admin.groups.clear(), "not_admin"),
        (lambda admin: AlertChannel.objects.update(owner=make_user()), "no_channel"),
    ],
)
def test_an_owner_who_may_no_longer_stops_the_rule(change, stopped):
    admin, now = make_user(Role.ADMIN), timezone.now()
    DiskSample.objects.create(period=now, measured_at=now, used_bytes=91, capacity_bytes=100)
    rule = make_rule(admin, "disk", threshold=85)
    assert look() == [("fired", "")]
    change(admin)
    assert look() == []
    rule.refresh_from_db()
    assert (rule.stopped, rule.alerts.get().state) == (stopped, "stopped")


def test_a_team_sees_what_it_may_and_what_its_members_roles_allow_but_is_no_admin():
    member, other = make_user(Role.PRODUCER, Role.ADMIN), make_owner()
    team = make_team("ops", member)
    for name, visibility in (("open", "internal"), ("closed", "restricted"), ("granted", "restricted")):
        make_dead_letter(make_group(make_stream(name, owner=other, visibility=visibility), "billing"))
    granted = type(make_stream("x", owner=other)).objects.get(name="granted")
    StreamGrant.objects.create(stream=granted, team=team, rights=["consume"], granted_by="x")
    from accounts.principals import Principal

    make_rule(member, "dead_letters", owned_by=Principal(team_id=team.pk))
    assert look() == [("fired", "granted/billing")]
    add_member(team=team, user=make_user(Role.CONSUMER))
    assert look() == [("fired", "open/billing")]
    for user in list(team.members.all()):
        remove_member(team=team, email=user.email)
    assert look() == []
    assert set(AlertRule.objects.get().alerts.values_list("state", flat=True)) == {"stopped"}


def test_a_rule_of_a_user_sends_to_their_teams_channel_as_long_as_they_are_a_member():
    member = make_owner()
    team = make_team("ops", member)
    from accounts.principals import Principal

    theirs = make_channel(member, owned_by=Principal(team_id=team.pk))
    make_dead_letter(make_group(make_stream("orders", owner=member), "billing"))
    rule = make_rule(member, "dead_letters", theirs, make_channel(member), repeat_seconds=60)
    look()
    assert AlertNotification.objects.count() == 2
    remove_member(team=team, email=member.email)
    from tests.observability.alerts.rules import let_pass

    let_pass(61)
    assert look() == [("repeated", "orders/billing")]
    rule.refresh_from_db()
    assert rule.stopped == ""


def test_of_a_rule_that_finds_too_much_the_worst_are_told_and_those_stay():
    owner = make_owner()
    stream = make_stream("orders", owner=owner)
    groups = [make_group(stream, f"g{number:03d}") for number in range(53)]
    for group in groups:
        make_dead_letter(group)
    for group in groups[-2:]:
        make_dead_letter(group, 2)
    make_rule(owner, "dead_letters")
    told = look()
    assert len(told) == 50
    assert {("fired", "orders/g051"), ("fired", "orders/g052")} <= set(told)
    for group in groups:
        make_dead_letter(group, 3)
    assert look() == []


def test_what_it_costs_does_not_grow_with_the_rules(django_assert_max_num_queries):
    owner = make_owner()
    stream = make_stream("orders", owner=owner)
    channel = make_channel(owner)
    for number in range(12):
        make_group(stream, f"g{number}")
        make_rule(owner, "dead_letters", channel, stream="orders", group=f"g{number}")
        make_rule(owner, "lag", channel)
    with django_assert_max_num_queries(32):
        look()
