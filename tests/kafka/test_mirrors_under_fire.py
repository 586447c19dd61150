"""Workers that run a mirror are killed and hang, brokers go and come: each event is in the topic once, in order."""

import itertools
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from confluent_kafka.admin import AdminClient

from streams.models import Mirror, MirrorPosition
from tests.kafka import mirror_process
from tests.kafka.mirrored import offsets_in
from tests.run.instance import wait_for
from tests.threads import Work

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.database,
    pytest.mark.slow("waits until the leases of dead workers have run out"),
]

_prefixes = (f"fire{number}-" for number in itertools.count(1))
PARTITIONS = 3
PATIENCE_SECONDS = 150


class Mirroring:
    """A stream with a mirror, what is appended to it, and workers that copy."""

    def __init__(self, shop, cluster, prefix) -> None:
        self.shop = shop
        self.cluster = cluster
        self.prefix = prefix
        self.topic = f"{prefix}orders"
        self._workers = ExitStack()
        made = shop.post("/streams", {"name": "orders", "partitions": PARTITIONS})
        assert made.status_code == 201, made.content
        made = shop.post("/streams/orders/mirrors", {"engine": "kafka-main", "allow_weak": True})
        assert made.status_code == 201, made.content
        self.id = made.json()["id"]

    def append(self, count: int) -> None:
        for begin in range(0, count, 100):
            sent = [{"type": "t", "key": str(n), "payload": n} for n in range(begin, begin + 100)]
            assert self.shop.post("/streams/orders/events", sent).status_code == 202

    @contextmanager
    def appending(self) -> Iterator[None]:
        """Append all the time, so that there is always something to copy."""
        stop = threading.Event()

        def append() -> None:
            while not stop.wait(0.03):
                self.append(100)

        work = Work(append)
        try:
            yield
        finally:
            stop.set()
            work.result()

    def start(self, **options):
        worker = mirror_process.start(self.cluster, self.prefix, **options)
        self._workers.callback(self.end, worker)
        return worker

    def end(self, worker) -> None:
        if worker.poll() is None:
            worker.send_signal(signal.SIGCONT)
            worker.kill()
        worker.communicate(timeout=30)

    def close(self) -> None:
        self._workers.close()

    @property
    def lag(self) -> int:
        return self.standing["lag"]

    @property
    def standing(self):
        return self.shop.get(f"/streams/orders/mirrors/{self.id}").json()

    @property
    def copied(self) -> int:
        return sum(MirrorPosition.objects.values_list("position", flat=True))

    def wait_until_copied(self) -> None:
        wait_for("all is copied", lambda: self.lag == 0, seconds=PATIENCE_SECONDS)

    def wait_until_it_copies(self, more: int = 100) -> None:
        enough = self.copied + more
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.copied < enough:
            assert time.monotonic() < deadline, self.standing
            time.sleep(0.05)

    def check_each_once_and_in_order(self) -> None:
        heads = [each["head_offset"] for each in self.standing["partitions"]]
        assert sum(heads) > 0
        found = offsets_in(self.cluster, self.topic)
        assert {n: len(offsets) for n, offsets in found.items()} == dict(enumerate(heads))
        assert found == {n: list(range(1, head + 1)) for n, head in enumerate(heads)}
        assert self.standing["doubled"] == 0

    def check_nothing_is_twice_that_is_not_told(self) -> None:
        """As a reader sees it who passes over what is not higher than the last one."""
        heads = [each["head_offset"] for each in self.standing["partitions"]]
        assert sum(heads) > 0
        twice = 0
        for number, offsets in offsets_in(self.cluster, self.topic).items():
            rising = [
                offset
                for offset, highest in zip(offsets, itertools.accumulate([0, *offsets], max), strict=False)
                if offset > highest
            ]
            assert rising == list(range(1, heads[number] + 1))
            twice += len(offsets) - len(rising)
        assert self.standing["doubled"] == twice


@pytest.fixture
def mirroring(shop, settings, kafka_cluster) -> Iterator[Mirroring]:
    from streams.log import close_log

    close_log()
    prefix = next(_prefixes)
    settings.EVENTFLOW_ENGINES["kafka-main"]["OPTIONS"]["topic_prefix"] = prefix
    made = Mirroring(shop, kafka_cluster, prefix)
    yield made
    made.close()
    for node in kafka_cluster.nodes:
        if kafka_cluster.is_running(node):
            kafka_cluster.resume(node)
        else:
            kafka_cluster.start_again(node)
    admin = AdminClient({"bootstrap.servers": kafka_cluster.addresses})
    admin.delete_topics([made.topic])[made.topic].result(30)


def test_workers_that_are_killed_at_moments_of_chance(mirroring):
    luck = random.Random(5)
    with mirroring.appending():
        for _ in range(5):
            # Two at once, of which one has it and the other wants it.
            workers = [mirroring.start() for _ in range(2)]
            mirroring.wait_until_it_copies()
            time.sleep(luck.uniform(0, 0.3))
            for worker in workers:
                worker.kill()
    mirroring.start()
    mirroring.wait_until_copied()
    mirroring.check_each_once_and_in_order()


@pytest.mark.parametrize("moment", ["sent", "written"])
def test_workers_that_die_around_the_writing_down_of_their_position(mirroring, moment):
    mirroring.append(3_000)
    for after in range(3):
        worker = mirroring.start(dies_at=moment, after=after)
        assert worker.wait(60) == -signal.SIGKILL
        in_topic = sum(map(len, offsets_in(mirroring.cluster, mirroring.topic).values()))
        # What makes the difference: there is more in the topic than anybody has written down.
        assert (in_topic > mirroring.copied) == (moment == "sent")
    mirroring.start()
    mirroring.wait_until_copied()
    mirroring.check_each_once_and_in_order()


def test_a_worker_that_hangs_loses_its_mirror_and_what_it_had_begun_to_send_is_told_when_it_wakes(mirroring):
    """A request that librdkafka had made, and not sent yet, goes before anything looks at a clock."""
    luck = random.Random(7)
    with mirroring.appending():
        for _ in range(4):
            hung = mirroring.start()
            mirroring.wait_until_it_copies()
            time.sleep(luck.uniform(0, 0.1))
            hung.send_signal(signal.SIGSTOP)
            token = Mirror.objects.get().lease_token
            other = mirroring.start()
            wait_for("another one takes it", lambda token=token: Mirror.objects.get().lease_token != token, seconds=60)
            mirroring.wait_until_it_copies()
            hung.send_signal(signal.SIGCONT)
            # It goes on beside the other one, which keeps the mirror.
            mirroring.wait_until_it_copies(1_000)
            other.kill()
            hung.kill()
    mirroring.start()
    mirroring.wait_until_copied()
    mirroring.check_nothing_is_twice_that_is_not_told()


def test_a_broker_that_is_killed_is_waited_for(mirroring):
    mirroring.start()
    with mirroring.appending():
        mirroring.wait_until_it_copies()
        for node in mirroring.cluster.nodes:
            mirroring.cluster.kill(node)
        wait_for("it fails", lambda: mirroring.standing["state"] == "failing", seconds=60)
        assert mirroring.standing["last_error"]["reason"]
        mirroring.cluster.start_again(*mirroring.cluster.nodes)
        mirroring.wait_until_it_copies()
    mirroring.wait_until_copied()
    assert mirroring.standing["state"] == "running"
    mirroring.check_each_once_and_in_order()


@pytest.mark.parametrize("is_killed", [False, True])
def test_a_broker_that_hangs_with_copies_in_its_hands(mirroring, is_killed):
    """Its worker may die meanwhile: what that has sent is stored when the broker wakes, and must not be sent again."""
    with mirroring.appending():
        for _ in range(3):
            worker = mirroring.start()
            mirroring.wait_until_it_copies()
            for node in mirroring.cluster.nodes:
                mirroring.cluster.pause(node)
            # By then there is something in its hands.
            threading.Event().wait(0.3)
            if is_killed:
                worker.kill()
            other = mirroring.start()
            # Longer than a lease lasts.
            threading.Event().wait(mirror_process.LEASE_SECONDS + 3)
            for node in mirroring.cluster.nodes:
                mirroring.cluster.resume(node)
            mirroring.wait_until_it_copies()
            worker.kill()
            other.kill()
    mirroring.start()
    mirroring.wait_until_copied()
    mirroring.check_each_once_and_in_order()
