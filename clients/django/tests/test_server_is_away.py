"""What the application does while EventFlow is down, slow or refuses: it goes on, and everything is stored once afterwards."""

import pytest
from lossy import BAD_GATEWAY, LOSE_ANSWER, LOSE_REQUEST
from running import stored, wait_for

pytestmark = pytest.mark.processes


def payloads(client, stream: str) -> list:
    return sorted(event["payload"] for event in stored(client, stream))


def last_error(shop) -> str:
    return "".join(error for (error,) in shop.ask("SELECT last_error FROM eventflow_django_outboxbatch"))


def test_while_it_is_down_the_application_publishes_and_afterwards_the_relay_sends(shop, stream, network, client):
    network.happen(*[LOSE_REQUEST, BAD_GATEWAY, LOSE_ANSWER] * 2)
    with shop.started("relay_outbox", EVENTFLOW_API=network.url):
        shop.run("publish_events", stream, 30)
        wait_for("the relay to say why", lambda: last_error(shop) or network.is_quiet)
        wait_for("everything to be sent", lambda: shop.waiting == 0, 60)
    assert network.is_quiet, "it would have been sent all the same"
    assert payloads(client, stream) == list(range(30))


def test_one_that_does_not_answer_in_time_holds_up_nobody_who_publishes(shop, stream, network, client):
    network.holds = True
    settings = {"EVENTFLOW_API": network.url, "SHOP_ATTEMPT_SECONDS": "0.5"}
    with shop.started("relay_outbox", **settings):
        shop.run("publish_events", stream, 10)
        assert network.is_answered.wait(30)
        # A row that the relay holds is nobody else's.
        shop.run("publish_events", stream, 10)
        wait_for("the attempt to be given up", lambda: "no answer" in last_error(shop))
        network.holds = False
        wait_for("everything to be sent", lambda: shop.waiting == 0)
    assert payloads(client, stream) == sorted([*range(10)] * 2)


def test_a_key_that_is_refused_is_no_events_fault(shop, stream, client):
    shop.run("publish_events", stream, 5)
    assert shop.manage("relay_outbox", "--once", EVENTFLOW_KEY="evf_wrong") == "0 events stored, 5 left\n"
    assert "401" in last_error(shop)
    shop.ask_to("UPDATE eventflow_django_outboxbatch SET next_attempt_at = NULL")
    assert shop.manage("relay_outbox", "--once") == "5 events stored, 0 left\n"
    assert payloads(client, stream) == list(range(5))
