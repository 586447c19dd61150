"""Messages on their way to a webhook: signed, in order, at least once, and known by their ids when they come twice."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F

from eventflow_site.environment import Places
from observability.alerts import sending
from observability.alerts.channels import ask_for_test, change_channel, create_channel
from observability.alerts.posting import Outcome
from observability.models import Alert, AlertChannel, AlertNotification
from observability.tasks import send_alert_messages
from tests.factories import make_dead_letter, make_group, make_owner, make_stream
from tests.observability.alerts.receiver import is_signed, receiving
from tests.observability.alerts.rules import let_pass, look, make_rule

pytestmark = pytest.mark.usefixtures("db_with_commits")


@pytest.fixture
def receiver(settings):
    settings.ALERT_EGRESS_ALLOW = Places(frozenset({"127.0.0.1"}), ())
    settings.PUBLIC_URL = "https://events.example"
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def watched(receiver):
    """A rule about one dead letter, with the receiver's channel; and the channel's secret."""
    owner = make_owner()
    letter = make_dead_letter(make_group(make_stream("orders", owner=owner), "billing"))
    caller = owner.as_caller()
    new = create_channel(caller=caller, owner=caller.principal, kind="webhook", name="n", target=receiver.url)
    rule = make_rule(owner, "dead_letters", new.channel, stream="orders", group="billing", repeat_seconds=60)
    return letter, rule, new


def wait_over(seconds=10**6):
    """Let what waits to be tried again be due."""
    AlertNotification.objects.update(next_attempt_at=F("next_attempt_at") - timedelta(seconds=seconds))


def only():
    return AlertNotification.objects.get()


def test_what_fires_is_posted_signed_and_says_what_and_where(receiver, watched):
    _, rule, new = watched
    look()
    assert send_alert_messages() == 1
    ((path, headers, body),) = receiver.requests
    assert path == "/hook?token=t0ken"
    assert is_signed(headers, body, new.secret)
    assert not is_signed(headers, body + b" ", new.secret)
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    assert headers["content-type"] == "application/json"
    assert headers["host"] == f"127.0.0.1:{receiver.port}"
    (content,) = receiver.bodies
    assert (content["type"], content["data"]["rule_id"], content["data"]["value"]) == ("alert.firing", rule.pk, 1.0)
    assert content["data"]["text"].startswith("orders/billing has 1 open dead letter (threshold 1) since 20")
    assert content["data"]["url"] == "https://events.example/streams/orders/consumer-groups/billing"
    assert (only().status, only().attempts, only().last_error) == ("sent", 1, "")
    assert send_alert_messages() == 0


def test_repetition_and_all_clear_are_messages_of_their_own(receiver, watched):
    letter, _, _ = watched
    for _ in range(2):
        look()
        send_alert_messages()
        let_pass(61)
    type(letter).objects.update(status="redriven")
    look()
    assert send_alert_messages() == 1
    assert [each["type"] for each in receiver.bodies] == ["alert.firing", "alert.firing", "alert.resolved"]
    assert [each["data"]["repetition"] for each in receiver.bodies] == [0, 1, 0]
    assert receiver.bodies[2]["data"]["text"].startswith("Resolved: orders/billing has 0 open dead letters")
    assert len(set(receiver.ids)) == 3


@pytest.mark.parametrize("status", [200, 202, 299])
def test_any_good_answer_will_do(receiver, watched, status):
    receiver.answer = status
    look()
    assert send_alert_messages() == 1


@pytest.mark.parametrize("status", [199, 301, 307, 400, 404, 429, 500, 503])
def test_any_other_is_tried_again_later_with_the_same_id_and_body(receiver, watched, status):
    def answer(handler):
        handler.send_response(status)
        handler.send_header("Location", receiver.url)
        handler.end_headers()

    receiver.answer = 500 if status == 199 else answer
    look()
    assert send_alert_messages() == 0
    assert len(receiver.requests) == 1, "it follows nobody, and does not try again at once"
    assert (only().status, only().attempts) == ("waiting", 1)
    assert send_alert_messages() == 0
    receiver.answer = 204
    wait_over()
    assert send_alert_messages() == 1
    assert len(set(receiver.ids)) == 1
    assert receiver.bodies[0] == receiver.bodies[1]
    assert AlertChannel.objects.get().failed_in_row == 0


def test_who_is_gone_for_good_is_not_asked_again(receiver, watched):
    receiver.answer = 410
    look()
    send_alert_messages()
    assert (only().status, only().last_error) == ("failed", "It answered 410.")


def test_it_is_tried_for_a_day_ever_less_often_and_then_given_up_which_is_shown(receiver, watched):
    receiver.answer = 500
    look()
    waits = []
    for _ in range(8):
        send_alert_messages()
        with connection.cursor() as cursor:
            cursor.execute("SELECT extract(epoch FROM next_attempt_at - now()) FROM observability_alertnotification")
            waits.append(round(cursor.fetchone()[0]))
        wait_over()
    assert waits == pytest.approx([10, 30, 60, 300, 900, 1800, 3600, 3600], abs=5)
    AlertNotification.objects.update(created_at=F("created_at") - timedelta(days=1))
    send_alert_messages()
    assert (only().status, only().last_error, only().attempts) == ("failed", "It answered 500.", 9)


def test_killed_between_sending_and_marking_it_comes_again_with_the_same_id(receiver, watched, monkeypatch):
    look()
    with monkeypatch.context() as patch:
        patch.setattr(sending, "_note_sent", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            send_alert_messages()
    assert (only().status, only().attempts) == ("waiting", 1)
    assert send_alert_messages() == 0, "it is taken for a minute"
    wait_over(61)
    assert send_alert_messages() == 1
    assert len(receiver.requests) == 2 and len(set(receiver.ids)) == 1


def test_of_many_senders_one_sends_each_message(receiver, watched):
    letter, rule, _ = watched
    for number in range(10):
        make_dead_letter(make_group(letter.group.stream, f"g{number}"))
    type(rule).objects.update(group=None, stream=None)
    assert len(look()) == 11
    sent = []

    def send():
        sent.append(sending.send_until(time.monotonic() + 60))
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(sent) == 11
    assert len(receiver.ids) == len(set(receiver.ids)) == 11


def test_a_receiver_that_does_not_answer_keeps_one_thread_of_a_worker_busy_and_no_more(receiver, watched):
    arrived, go_on = threading.Event(), threading.Event()

    def wait(handler):
        arrived.set()
        go_on.wait(20)
        handler.send_response(204)
        handler.end_headers()

    receiver.answer = wait
    look()
    sent = []

    def send():
        sent.append(send_alert_messages())
        connection.close()

    thread = threading.Thread(target=send)
    thread.start()
    assert arrived.wait(20)
    let_pass(61)
    assert look() == [("repeated", "orders/billing")]
    AlertNotification.objects.filter(occasion="repeated").update(alert=None, occasion="test")
    assert send_alert_messages() == 0
    go_on.set()
    thread.join()
    assert sum(sent) == 2


def test_what_happened_first_arrives_first_also_if_it_is_late(receiver, watched):
    letter, _, _ = watched
    receiver.answer = 500
    look()
    send_alert_messages()
    type(letter).objects.update(status="redriven")
    look()
    AlertNotification.objects.filter(occasion="resolved").update(next_attempt_at=F("created_at"))
    receiver.answer = 204
    assert send_alert_messages() == 0, "the all-clear waits for what it clears"
    wait_over()
    assert send_alert_messages() == 2
    assert [each["type"] for each in receiver.bodies] == ["alert.firing", "alert.firing", "alert.resolved"]


def test_a_receiver_that_is_away_costs_one_try_and_is_sent_everything_when_it_is_back(receiver, watched):
    letter, rule, _ = watched
    for number in range(5):
        make_dead_letter(make_group(letter.group.stream, f"g{number}"))
    type(rule).objects.update(group=None, stream=None)
    look()
    receiver.answer = 500
    send_alert_messages()
    assert len(receiver.requests) == 1
    receiver.answer = 204
    AlertNotification.objects.update(next_attempt_at=F("next_attempt_at") + timedelta(hours=1))
    AlertNotification.objects.filter(attempts=1).update(next_attempt_at=F("created_at"))
    assert send_alert_messages() == 6
    assert AlertChannel.objects.get().failed_in_row == 0


def test_what_waits_for_an_address_that_failed_goes_to_a_new_one_at_once(receiver, watched):
    _, rule, _ = watched
    receiver.answer = 500
    look()
    for _ in range(5):
        send_alert_messages()
        wait_over()
    send_alert_messages()
    assert (only().attempts, AlertChannel.objects.get().failed_in_row) == (6, 6)
    receiver.answer = 204
    caller, channel = rule.owner.as_caller(), AlertChannel.objects.get()
    change_channel(caller=caller, channel=channel, changes={"name": "another name"})
    assert AlertChannel.objects.get().failed_in_row == 6, "to the same address nothing has gone yet"
    assert send_alert_messages() == 0
    change_channel(caller=caller, channel=channel, changes={"target": f"{receiver.url}&new"})
    assert send_alert_messages() == 1
    assert receiver.requests[-1][0] == "/hook?token=t0ken&new"
    assert AlertChannel.objects.get().failed_in_row == 0


def test_one_receiver_that_is_away_does_not_keep_the_others_waiting(receiver, watched, settings):
    _, rule, _ = watched
    away = create_channel(
        caller=rule.owner.as_caller(), owner=rule.owned_by, kind="webhook", name="x", target="http://127.0.0.1:1/"
    ).channel
    rule.channels.add(away)
    look()
    assert send_alert_messages() == 1
    failed = AlertNotification.objects.get(channel=away)
    assert (failed.status, failed.last_error) == ("waiting", "Nobody listens there.")


def test_a_stopped_alert_is_not_told_however_long_it_has_waited(receiver, watched):
    receiver.answer = 500
    look()
    send_alert_messages()
    Alert.objects.update(state="stopped", ended_at=F("began_at"))
    wait_over()
    send_alert_messages()
    assert len(receiver.requests) == 1
    assert (only().status, only().last_error) == ("failed", "The alert was stopped before it could be sent.")


def test_a_test_is_sent_at_once_and_tried_once(receiver, watched):
    _, rule, new = watched
    from django.utils import timezone

    receiver.answer = 500
    ask_for_test(caller=rule.owner.as_caller(), channel=new.channel, now=timezone.now())
    send_alert_messages()
    assert (only().status, only().last_error) == ("failed", "It answered 500.")
    assert AlertChannel.objects.get().failed_in_row == 0
    receiver.answer = 204
    AlertNotification.objects.all().delete()
    ask_for_test(caller=rule.owner.as_caller(), channel=new.channel, now=timezone.now())
    assert send_alert_messages() == 1
    assert receiver.bodies[-1]["type"] == "alert.test"
    assert is_signed(*receiver.requests[-1][1:], new.secret)


def test_with_another_secret_key_it_is_not_signed_with_a_wrong_secret(receiver, watched, settings):
    settings.SECRET_KEY = "another one, as long as it should be"
    look()
    send_alert_messages()
    assert receiver.requests == []
    assert "SECRET_KEY has changed" in only().last_error


def test_who_answers_byte_by_byte_is_waited_for_no_longer_than_who_does_not(receiver, watched, monkeypatch):
    from observability.alerts import posting

    go_on = threading.Event()

    def dawdle(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not go_on.wait(0.05):
            handler.wfile.write(b"x")
            handler.wfile.flush()

    receiver.answer = dawdle
    started = time.monotonic()
    outcome = posting.post_json(receiver.url, b"{}", {}, seconds=0.5)
    go_on.set()
    assert outcome == Outcome("It did not answer in time.")
    assert 0.4 < time.monotonic() - started < 10


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 200 " + b"x" * 70_000, b"HTTP/1.1 abc\r\n\r\n"])
def test_who_does_not_speak_http_has_not_taken_it(receiver, watched, answer):
    receiver.answer = lambda handler: handler.wfile.write(answer)
    look()
    assert send_alert_messages() == 0
    assert only().last_error == "It did not answer as HTTP."
