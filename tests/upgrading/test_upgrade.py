"""From the last commit before the package to this one: what was there is there, and goes on."""

import subprocess
import sys

import pytest

from tests.run.instance import PROJECT, clean_environment
from tests.upgrading.conftest import Upgraded
from tests.upgrading.filled import COMMITTED, ONCE, PARTITIONS
from tests.upgrading.person import Person
from tests.upgrading.side_by_side import STORED_SIDE_BY_SIDE

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform != "linux", reason="its instances are watched through /proc"),
    pytest.mark.slow(
        "starts a version from before with a database of its own, fills it, migrates it and starts this one"
    ),
]


@pytest.fixture
def shop(upgraded: Upgraded) -> Person:
    return Person(upgraded.now.url, key=upgraded.before.key)


def test_the_old_server_and_a_new_one_read_what_the_other_stored(upgraded: Upgraded):
    each = list(range(STORED_SIDE_BY_SIDE // 2))
    assert sorted(upgraded.meanwhile.from_old_at_new) == each
    assert sorted(upgraded.meanwhile.from_new_at_old) == each


def test_what_one_of_them_handed_out_was_acked_at_the_other(upgraded: Upgraded):
    assert upgraded.meanwhile.leased_at_old_acked_at_new > 0
    assert upgraded.meanwhile.leased_at_new_acked_at_old > 0


def test_a_group_that_the_old_server_made_on_the_new_tables_goes_on(upgraded: Upgraded, shop: Person):
    group = upgraded.meanwhile.group_made_at_old
    assert shop.group(group)["filter"] is None
    assert shop.lease(group, 1)[0]["events"]


def test_events_are_read_back_as_they_were(upgraded: Upgraded, shop: Person):
    for partition, before in enumerate(upgraded.before.events):
        assert len(before) > 50
        assert shop.events(partition=partition)[: len(before)] == before


def test_no_offset_is_missing_and_every_count_is_right(upgraded: Upgraded):
    verified = subprocess.run(
        [sys.executable, "manage.py", "verify_log"],
        cwd=PROJECT,
        env=clean_environment(EVENTFLOW_HOME=str(upgraded.home)),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (verified.returncode, verified.stdout) == (0, ""), verified.stdout + verified.stderr


def test_offsets_follow_on(upgraded: Upgraded, shop: Person):
    heads = [shop.events(partition=partition)[-1]["offset"] for partition in range(PARTITIONS)]
    stored = shop.ask("POST", "/events", {"stream": "orders", "key": "customer-0", "payload": "after"})
    assert stored["offset"] == heads[stored["partition"]] + 1


def test_a_group_reads_on_from_what_it_had_committed(upgraded: Upgraded, shop: Person):
    offsets = shop.ask("GET", "/streams/orders/consumer-groups/readers/offsets")["data"]
    assert [each["committed_offset"] for each in offsets] == [COMMITTED] * PARTITIONS
    answer = shop.ask("GET", "/streams/orders/events?consumer_group_id=readers&partition=0")
    assert answer[0]["offset"] == COMMITTED + 1


def test_a_lease_from_before_is_acked_with_its_token(upgraded: Upgraded, shop: Person):
    assert len(upgraded.before.deliveries_in_hand) == 2
    shop.ack("workers", upgraded.before.deliveries_in_hand)


def test_a_group_that_keeps_the_order_hands_out_from_the_beginning(upgraded: Upgraded, shop: Person):
    assert shop.group("strict")["ordering"] == "partition"
    assert {delivery["events"][0]["offset"] for delivery in shop.lease("strict", 1)} == {1}


def test_a_dead_letter_is_there_and_can_be_redriven(upgraded: Upgraded, shop: Person):
    [dead_letter] = shop.dead_letters()
    assert {name: dead_letter[name] for name in upgraded.before.dead_letter} == upgraded.before.dead_letter
    shop.ask("POST", f"/dead-letters/{dead_letter['id']}/redrive", {"note": "after the upgrade"})
    while not any(event["offset"] == dead_letter["offset"] for event in handed_out(shop)):
        pass
    assert shop.dead_letters() == []


def handed_out(shop: Person) -> list[dict]:
    """The next events of the group `workers`, acked; fails when there are no more."""
    deliveries = shop.lease("workers")
    assert deliveries
    shop.ack("workers", deliveries)
    return [event for delivery in deliveries for event in delivery["events"]]


def test_a_key_that_was_revoked_stays_so(upgraded: Upgraded):
    status, problem = Person(upgraded.now.url, key=upgraded.before.revoked_key).try_to("GET", "/streams")
    assert (status, problem["code"]) == (401, "invalid_credentials")


def test_a_retry_from_before_is_answered_as_the_first_time(upgraded: Upgraded, shop: Person):
    assert shop.ask("POST", "/events", ONCE, Idempotency_Key="once") == upgraded.before.answer_to_once


def test_an_id_from_before_is_known(upgraded: Upgraded, shop: Person):
    known = {"stream": "orders", "id": "known", "key": "customer-0", "payload": "once in a day"}
    assert shop.ask("POST", "/events", known)["duplicate"] is True


def test_what_is_new_can_be_used_on_what_is_old(upgraded: Upgraded, shop: Person):
    shop.ask("PATCH", "/streams/orders/consumer-groups/made-at-old", {"ordering": "key"})
    for delivery in shop.lease("made-at-old", 10):
        keys = [event["key"] for event in delivery["events"]]
        assert len(set(keys)) == len(keys)
    later = {"stream": "orders", "payload": "later", "deliver_after": 3_600}
    assert shop.ask("POST", "/events", later)["offset"] > 0
