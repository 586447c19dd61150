"""`manage.py consume` against a server: killed in the middle of its work, told to stop, or unable to go on."""

import signal
import subprocess

import pytest
from eventflow_client import NewEvent
from running import lag, wait_for

from tests.factories import make_stream

pytestmark = pytest.mark.processes
ORDERS = 150
KILLS = 3


@pytest.fixture(scope="module")
def orders(owner) -> str:
    """The stream that the example names."""
    return make_stream("orders", owner=owner).name


def invoices(shop) -> list[tuple]:
    return shop.ask("SELECT order_id, count(*) FROM orders_invoice GROUP BY order_id ORDER BY order_id")


def test_consumers_that_are_killed_write_each_invoice_once(shop, orders, client):
    # It is there already, with less patience than the example has.
    client.groups.create(orders, "invoices", mode="lease", ack_wait=1, backoff=[0], max_failures=100)
    shop.run("place_orders", ORDERS)
    shop.manage("relay_outbox", "--once")
    for _ in range(KILLS):
        with shop.started("consume") as consumer:
            before = len(invoices(shop))
            wait_for("some work", lambda before=before: len(invoices(shop)) > before)
            consumer.kill()
    with shop.started("consume") as consumer:
        wait_for("everything to be acked", lambda: lag(client, orders, "invoices") == 0, 60)
        consumer.send_signal(signal.SIGTERM)
        assert consumer.wait(30) == 0
    placed = [(pk,) for (pk,) in shop.ask("SELECT id FROM orders_order ORDER BY id")]
    assert len(placed) == ORDERS
    assert invoices(shop) == [(pk, 1) for (pk,) in placed]


def test_one_that_is_told_to_stop_finishes_what_it_has_begun_and_gives_the_rest_back(shop, stream, client):
    client.groups.create(stream, "slow", mode="lease", ack_wait=60)
    client.send(stream, "first")
    client.send(stream, "second")
    with shop.started_program("consume_slowly", stream) as consumer:
        assert consumer.stdout
        assert consumer.stdout.readline().startswith("consuming")
        assert consumer.stdout.readline() == "begun first\n"
        consumer.send_signal(signal.SIGTERM)
        told, _ = consumer.communicate(timeout=30)
        assert (consumer.returncode, told.splitlines()[0]) == (0, "ended first")
    left = lag(client, stream, "slow")
    assert left == 2 - told.count("ended")
    assert list(client.groups.deliveries(stream, "slow", state="leased")) == []


def test_one_that_cannot_go_on_says_why_and_ends_badly(shop, client):
    with shop.started_program("consume_slowly", "not-there", stderr=subprocess.PIPE) as consumer:
        _, complaint = consumer.communicate(timeout=30)
        assert consumer.returncode != 0
        assert "stream_not_found" in complaint


def test_a_mistake_in_a_groups_settings_ends_it_badly_too(shop, stream):
    with shop.started_program("consume_with_a_slip", stream, stderr=subprocess.PIPE) as consumer:
        _, complaint = consumer.communicate(timeout=30)
        assert consumer.returncode != 0
        assert "ack_weight" in complaint


def handled(shop, stream: str) -> list[str]:
    rows = shop.ask(f"SELECT customer FROM orders_order WHERE customer LIKE '{stream} %' ORDER BY cents")
    return [customer.partition(" ")[2] for (customer,) in rows]


def test_in_offset_mode_what_fails_is_parked_and_the_rest_goes_on_from_where_a_killed_reader_was(shop, stream, client):
    client.send_many([NewEvent(stream, n if n != 20 else "bad") for n in range(60)])
    expected = [str(n) for n in range(60) if n != 20]
    with shop.started_program("consume_in_order", stream, "park") as reader:
        wait_for("some work", lambda: len(handled(shop, stream)) > 30)
        reader.kill()
    with shop.started_program("consume_in_order", stream, "park") as reader:
        wait_for("the rest", lambda: handled(shop, stream) == expected and lag(client, stream, "reader") == 0)
        reader.send_signal(signal.SIGTERM)
        assert reader.wait(30) == 0
    assert client.groups.get(stream, "reader").mode == "offset"
    assert [dead.offset for dead in client.dead_letters.list(stream=stream)] == [21]
    # Each change was made once, by whichever of the two.
    assert handled(shop, stream) == expected


def test_in_offset_mode_a_reader_may_stop_in_front_of_what_fails(shop, stream, client):
    client.send_many([NewEvent(stream, payload) for payload in ("first", "bad", "after")])
    for _ in range(2):
        with shop.started_program("consume_in_order", stream, "stop", stderr=subprocess.PIPE) as reader:
            _, complaint = reader.communicate(timeout=30)
            assert reader.returncode != 0
            assert "offset 2" in complaint
    assert handled(shop, stream) == ["first"]
    assert lag(client, stream, "reader") == 2
