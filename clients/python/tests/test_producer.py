"""Events that are gathered into batches and sent in the background."""

import threading
import time
from collections import defaultdict

import pytest
from eventflow_client import Closed, EventFlow, NoAnswer, NotInTime, ProducerSettings, Retries, problems
from eventflow_client._sync import producer as sync_producer
from lossy import CUT_ANSWER, LOSE_ANSWER, LOSE_REQUEST
from running import stored

from tests.factories import make_stream

pytestmark = pytest.mark.processes


def test_events_go_together_and_each_is_told_its_place(client, network, orders):
    with client.producer(ProducerSettings(linger_seconds=0.2)) as producer:
        pending = [producer.enqueue(orders, n) for n in range(50)]
        assert not pending[0].done()
        assert [each.result().offset for each in pending] == list(range(1, 51))
    assert len(network.seen("POST .*/events")) == 1
    assert [event["payload"] for event in stored(client, orders)] == list(range(50))


def test_a_full_batch_goes_at_once(client, network, orders):
    with client.producer(ProducerSettings(linger_seconds=60, batch_events=10)) as producer:
        pending = [producer.enqueue(orders, n) for n in range(25)]
        assert pending[19].result(timeout=10).offset == 20
        assert not pending[20].done()
        producer.flush()
        assert pending[24].done()
    assert len(network.seen("POST .*/events")) == 3


@pytest.mark.parametrize("fate", [LOSE_ANSWER, CUT_ANSWER, LOSE_REQUEST])
@pytest.mark.parametrize("lanes", [1, 3])
def test_order_is_kept_for_each_key_and_nothing_doubled_while_answers_are_lost(client, network, owner, fate, lanes):
    stream = make_stream(owner=owner, partitions=2).name
    network.happen(*[fate] * 12, to=f"POST .*/{stream}/events")
    settings = ProducerSettings(linger_seconds=0.001, batch_events=7, lanes=lanes)
    with client.producer(settings) as producer:
        pending = [producer.enqueue(stream, n, key=f"k{n % 5}") for n in range(300)]
        producer.flush()
    assert network.is_quiet
    assert all(each.exception() is None for each in pending)
    of_key = defaultdict(list)
    for event in stored(client, stream):
        of_key[event["key"]].append(event["payload"])
    assert of_key == {f"k{k}": list(range(k, 300, 5)) for k in range(5)}


def test_bad_events_fail_alone_and_their_neighbours_are_stored(client, owner, orders):
    with client.producer(ProducerSettings(linger_seconds=0.2)) as producer:
        pending = [producer.enqueue(orders, n, key="k" * 600 if n in (2, 5) else "k") for n in range(8)]
    for n, each in enumerate(pending):
        error = each.exception()
        if n in (2, 5):
            assert isinstance(error, problems.InvalidEvents)
            assert [field.pointer for field in error.errors] == ["/key"]
        else:
            assert error is None
    assert [event["payload"] for event in stored(client, orders)] == [0, 1, 3, 4, 6, 7]


def test_an_event_that_is_too_large_fails_alone(client, orders):
    with client.producer(ProducerSettings(linger_seconds=0.2, batch_bytes=8_000_000)) as producer:
        pending = [producer.enqueue(orders, "x" * 1_000_001 if n == 3 else n) for n in range(8)]
    failed = [n for n, each in enumerate(pending) if each.exception()]
    assert failed == [3]
    assert [event["payload"] for event in stored(client, orders)] == [0, 1, 2, 4, 5, 6, 7]


def test_a_stream_that_refuses_holds_up_no_other(client, orders):
    with client.producer(ProducerSettings(linger_seconds=0.01)) as producer:
        lost = producer.enqueue("nothing", 1)
        kept = producer.enqueue(orders, 2)
        assert kept.result().offset == 1
        with pytest.raises(problems.StreamNotFound):
            lost.result()


def test_the_buffer_is_bounded_and_waiting_for_room_is_too(network, key, orders):
    network.happen(*[LOSE_REQUEST] * 1000)
    retries = Retries(first_pause_seconds=0.05, longest_pause_seconds=0.1)
    settings = ProducerSettings(buffer_bytes=1000, room_seconds=0.3, give_up_seconds=1, close_seconds=5)
    with EventFlow(network.url, key=key, retries=retries) as client, client.producer(settings) as producer:
        with pytest.raises(NotInTime, match="full"):
            for _ in range(1000):
                producer.enqueue(orders, "x" * 100)
        assert producer.buffered_bytes <= 1000
        # What could not be sent is given up, and there is room again.
        deadline = time.monotonic() + 10
        while producer.buffered_bytes and time.monotonic() < deadline:
            time.sleep(0.02)
        assert producer.buffered_bytes == 0


def test_it_gives_up_on_what_waits_behind_others_too(network, key, orders):
    network.happen(*[LOSE_REQUEST] * 1000)
    retries = Retries(first_pause_seconds=0.05, longest_pause_seconds=0.1)
    settings = ProducerSettings(batch_events=1, give_up_seconds=0.5)
    with EventFlow(network.url, key=key, retries=retries) as client, client.producer(settings) as producer:
        pending = [producer.enqueue(orders, n) for n in range(3)]
        errors = [each.exception() for each in pending]
    assert [isinstance(error, NoAnswer) for error in errors] == [True] * 3
    # A batch that is given up on was tried several times; those behind it at most once, in what time was left.
    assert len(network.seen("POST .*/events")) > 3
    assert len({each.body for each in network.seen("POST .*/events")[:4]}) == 1


def test_closing_sends_what_is_left_and_takes_nothing_more(client, orders):
    producer = client.producer(ProducerSettings(linger_seconds=60))
    pending = producer.enqueue(orders, 1)
    producer.close()
    assert pending.result(timeout=0).offset == 1
    with pytest.raises(Closed):
        producer.enqueue(orders, 2)


def test_what_comes_while_it_is_closed_is_not_taken(client, orders, monkeypatch):
    producer = client.producer()
    assert producer.enqueue(orders, 1).result().offset == 1
    # Those who send have nothing to do, and look at no clock.
    time.sleep(0.5)

    class ClosedMeanwhile:
        @staticmethod
        def monotonic() -> float:
            monkeypatch.undo()
            producer.close()
            return time.monotonic()

    monkeypatch.setattr(sync_producer, "time", ClosedMeanwhile)
    with pytest.raises(Closed):
        producer.enqueue(orders, 2)


def test_closing_is_bounded_though_nobody_answers(network, key, orders):
    network.happen(*[LOSE_REQUEST] * 100_000)
    retries = Retries(first_pause_seconds=0.05, longest_pause_seconds=0.1)
    with EventFlow(network.url, key=key, retries=retries) as client:
        producer = client.producer(ProducerSettings(batch_events=1))
        pending = [producer.enqueue(orders, n) for n in range(3)]
        producer.close(timeout=0.3)
        assert isinstance(pending[2].exception(timeout=0), NoAnswer)


def test_threads_share_a_producer_and_each_keeps_its_order(client, orders):
    with client.producer(ProducerSettings(batch_events=50, linger_seconds=0.001)) as producer:

        def work(name: str) -> None:
            for n in range(200):
                producer.enqueue(orders, n, key=name)

        threads = [threading.Thread(target=work, args=(f"t{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    of_key = defaultdict(list)
    for event in stored(client, orders):
        of_key[event["key"]].append(event["payload"])
    assert of_key == {f"t{n}": list(range(200)) for n in range(4)}


def test_a_callback_is_told_once_it_is_known(client, orders):
    told: list[int] = []
    with client.producer() as producer:
        pending = producer.enqueue(orders, 1)
        pending.add_done_callback(lambda each: told.append(each.result().offset))
        producer.flush()
        pending.add_done_callback(lambda each: told.append(-each.result().offset))
    assert told == [1, -1]
