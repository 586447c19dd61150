"""When an alert fires, repeats and ends: by the database's clock, once for each occasion."""

import threading

import pytest
from django.db import connection, transaction

from observability.alerts import evaluating
from observability.models import Alert, AlertNotification, AlertRule
from observability.tasks import delete_old_alerts, look_at_alert_rules
from tests.factories import make_dead_letter, make_group, make_owner, make_stream
from tests.observability.alerts.rules import let_pass, look, make_rule

pytestmark = pytest.mark.usefixtures("db_with_commits")
FIRED, REPEATED, RESOLVED = ([(occasion, "orders/billing")] for occasion in ("fired", "repeated", "resolved"))


@pytest.fixture
def letter():
    owner = make_owner()
    group = make_group(make_stream("orders", owner=owner), "billing")
    return make_dead_letter(group)


def rule_of(letter, **fields):
    return make_rule(letter.group.owner, "dead_letters", stream="orders", group="billing", **fields)


def mend(letter):
    type(letter).objects.update(status="redriven")


def test_it_fires_once_and_is_resolved_once(letter):
    rule_of(letter)
    assert [look(), look()] == [FIRED, []]
    mend(letter)
    assert [look(), look()] == [RESOLVED, []]
    assert Alert.objects.get().state == "resolved"
    type(letter).objects.update(status="open")
    assert look() == FIRED


def test_it_fires_only_when_it_has_been_so_for_long_enough(letter):
    rule_of(letter, for_seconds=60)
    assert look() == []
    let_pass(55)
    assert look() == []
    let_pass(6)
    assert look() == FIRED


def test_what_was_fine_in_between_begins_anew_and_leaves_no_trace(letter):
    rule_of(letter, for_seconds=60)
    look()
    let_pass(55)
    mend(letter)
    assert look() == []
    assert not Alert.objects.exists()
    type(letter).objects.update(status="open")
    look()
    let_pass(55)
    assert look() == []


def test_it_repeats_while_it_fires_and_never_without_being_asked(letter):
    rule = rule_of(letter, repeat_seconds=60)
    look()
    assert look() == []
    let_pass(61)
    assert [look(), look()] == [REPEATED, []]
    let_pass(61)
    assert look() == REPEATED
    assert list(AlertNotification.objects.order_by("pk").values_list("number", flat=True)) == [0, 1, 2]
    AlertRule.objects.filter(pk=rule.pk).update(repeat_seconds=0)
    let_pass(86400)
    assert look() == []


def test_a_pause_ends_it_without_a_word(letter):
    rule = rule_of(letter)
    look()
    AlertRule.objects.filter(pk=rule.pk).update(is_paused=True)
    assert look() == []
    assert Alert.objects.get().state == "stopped"
    AlertRule.objects.filter(pk=rule.pk).update(is_paused=False)
    assert look() == FIRED


def test_of_two_who_look_at_once_one_does(letter):
    rule_of(letter)
    with transaction.atomic():
        evaluating.run("take_turn_to_look")
        other: list[int] = []

        def look_too():
            other.append(look_at_alert_rules())
            connection.close()

        thread = threading.Thread(target=look_too)
        thread.start()
        thread.join()
    assert other == [0]
    assert not Alert.objects.exists()
    assert look() == FIRED


def test_a_tick_that_is_killed_half_way_has_done_nothing(letter, monkeypatch):
    rule_of(letter)
    with monkeypatch.context() as patch:
        # Killed between what was found and the messages about it.
        patch.setattr(evaluating, "queue_messages", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            look_at_alert_rules()
    assert not Alert.objects.exists()
    assert look() == FIRED


def test_many_at_once_tell_it_once(letter):
    rule_of(letter)

    def many():
        for _ in range(5):
            look_at_alert_rules()
        connection.close()

    threads = [threading.Thread(target=many) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert AlertNotification.objects.count() == Alert.objects.count() == 1


def test_old_alerts_go_with_what_was_sent_of_them(letter):
    rule_of(letter)
    look()
    mend(letter)
    look()
    assert delete_old_alerts() == 0
    with connection.cursor() as cursor:
        cursor.execute("UPDATE observability_alert SET ended_at = ended_at - interval '31 days'")
    assert delete_old_alerts() == 1
    assert not AlertNotification.objects.exists()
