"""Who uses a stream while it is moved: producers of all kinds, a reader, and consumers that lease; and the checks after.

`EVENTFLOW_TEST_MOVE_EVENTS` says how many events are told before it ends; few are enough to see most faults.
"""

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

from streams.log.kafka.fencing import FENCE_TYPE
from tests.run.instance import wait_for
from tests.threads import Work, outcomes_of

EVENTS: Final = int(os.environ.get("EVENTFLOW_TEST_MOVE_EVENTS", "6000"))
PARTITIONS: Final = 3
# Nobody judges by the clock; but whoever waits longer than that waits for something else.
SANE_SECONDS: Final = 5.0

Place = tuple[int, int]


class Users:
    """Threads that use the stream `orders`, and what they were told.

    Attributes:
        told: where each event is, by its payload, as its producer was told.
        open: payloads of requests of which nobody knows what became of them.
        pauses: of each producer the longest time between two answers.
    """

    def __init__(self, shop: Any) -> None:
        self._shop = shop
        self._stop = threading.Event()
        self._are_told = threading.Event()
        self.told: dict[str, Place] = {}
        self.open: set[str] = set()
        self.codes: Counter[str] = Counter()
        self.pauses: dict[str, float] = {}
        self.read: dict[str, Place] = {}
        self.leased: Counter[str] = Counter()

    def works(self) -> list[Callable[[], None]]:
        producers = {
            "own-key": (3, lambda name, n: [{"key": name, "payload": f"{name}-{n}"}]),
            "unkeyed": (2, lambda name, n: [{"payload": f"{name}-{n}"}]),
            "batch": (2, lambda name, n: [{"key": f"{name}{i}", "payload": f"{name}-{n}-{i}"} for i in range(40)]),
        }
        works = [
            partial(self._produce, f"{kind}{number}", make, is_keyed=False)
            for kind, (count, make) in producers.items()
            for number in range(count)
        ]
        for number in range(2):
            works.append(partial(self._produce, f"once{number}", producers["batch"][1], is_keyed=True))
        return [*works, self._read, self._lease]

    # --- producers ---

    def _produce(self, name: str, make: Callable[[str, int], list[dict[str, Any]]], *, is_keyed: bool) -> None:
        answered, number = time.monotonic(), 0
        while not self._stop.is_set():
            body = make(name, number)
            headers = {"Idempotency_Key": f"{name}-{number}"} if is_keyed else {}
            stored = self._send(body, headers)
            if stored is not None:
                self.told |= {
                    event["payload"]: (each["partition"], each["offset"])
                    for event, each in zip(body, stored, strict=True)
                }
            now = time.monotonic()
            self.pauses[name] = max(self.pauses.get(name, 0.0), now - answered)
            answered, number = now, number + 1

    def _send(self, body: list[dict[str, Any]], headers: dict[str, str]) -> list[dict[str, Any]] | None:
        while True:
            answer = self._shop.post("/streams/orders/events", body, **headers)
            if answer.status_code == 202:
                events: list[dict[str, Any]] = answer.json()["events"]
                return events
            code = answer.json()["code"]
            self.codes[code] += 1
            assert answer.status_code in (409, 503), answer.content
            if not headers and code == "outcome_unknown":
                self.open |= {event["payload"] for event in body}
                return None
            threading.Event().wait(0.05)

    # --- who reads ---

    def _read(self) -> None:
        """Read as a group in offset mode, partition by partition, and commit what came."""
        positions = dict.fromkeys(range(PARTITIONS), 0)
        while not self._is_over(self.read):
            for number, position in list(positions.items()):
                events = self._poll(number, position)
                offsets = [each["offset"] for each in events]
                assert offsets == list(range(position + 1, position + 1 + len(events)))
                for each in events:
                    if each["type"] != FENCE_TYPE:
                        assert each["payload"] not in self.read, f"{each['payload']} came twice"
                        self.read[each["payload"]] = (each["partition"], each["offset"])
                if events:
                    positions[number] = offsets[-1]
                    at = {"offsets": [{"partition": number, "offset": offsets[-1]}]}
                    self._until_done("/streams/orders/consumer-groups/readers/offsets", at)

    def _poll(self, number: int, position: int) -> list[dict[str, Any]]:
        while True:
            answer = self._shop.get(
                "/streams/orders/events",
                consumer_group_id="readers",
                last_offset=position,
                partition=number,
                limit=500,
                wait=0.05,
            )
            if answer.status_code == 200:
                found: list[dict[str, Any]] = json.loads(answer.content)
                return found
            assert answer.status_code == 503, answer.content
            threading.Event().wait(0.05)

    def _lease(self) -> None:
        group = "/streams/orders/consumer-groups/workers"
        while not self._is_over(self.leased):
            leased = self._shop.post(f"{group}/lease", {"max_events": 200, "wait": 0.05})
            if leased.status_code == 503:
                threading.Event().wait(0.05)
                continue
            deliveries = leased.json()["deliveries"]
            if not deliveries:
                continue
            events = [event for each in deliveries for event in each["events"]]
            self.leased.update(each["payload"] for each in events if each["type"] != FENCE_TYPE)
            names = [{key: each[key] for key in ("delivery_id", "lease_token")} for each in deliveries]
            self._until_done(f"{group}/ack", {"deliveries": names})

    def _until_done(self, path: str, body: dict[str, Any]) -> None:
        # Each of the client's requests has a loop of its own, and with it ends what others wait for: 503, come again.
        while (answer := self._shop.post(path, body)).status_code == 503:
            threading.Event().wait(0.05)
        assert answer.status_code == 200, answer.content

    def _is_over(self, seen: Mapping[str, Any]) -> bool:
        return self._are_told.is_set() and self.told.keys() <= seen.keys()

    def all_are_told(self) -> None:
        """Say that no producer is under way any more: who reads ends when all is read."""
        self._are_told.set()

    def stop(self) -> None:
        self._stop.set()


@contextmanager
def used(shop: Any) -> Iterator[Users]:
    """Let the stream `orders` be used while the block runs, and check afterwards that all is as it was told."""
    for mode, name in (("offset", "readers"), ("lease", "workers")):
        made = shop.post("/streams/orders/consumer-groups", {"name": name, "mode": mode, "start": "earliest"})
        assert made.status_code == 201, made.content
    users = Users(shop)
    calls = users.works()
    works = [Work(each) for each in calls]
    try:
        some_more(users, 100)
        yield users
        some_more(users, 100)
    finally:
        users.stop()
        outcomes_of(works[:-2])
        users.all_are_told()
    assert outcomes_of(works) == [None] * len(calls), outcomes_of(works)
    print(f"\n{len(users.told)} events, {len(users.open)} in doubt, {dict(users.codes)}; longest pauses:")
    print({name: round(seconds, 2) for name, seconds in sorted(users.pauses.items())})


def some_more(users: Users, count: int) -> None:
    """Wait until so many more events are told."""
    enough = len(users.told) + count
    wait_for("appends go on", lambda: len(users.told) >= enough, seconds=120)


def check_all(shop: Any, users: Users, *, sane_seconds: float = SANE_SECONDS) -> None:
    """Every event is where its producer was told, no offset is missing, and every consumer had each event once."""
    there: dict[str, Place] = {}
    for number in range(PARTITIONS):
        position = 0
        while events := json.loads(
            shop.get("/streams/orders/events", last_offset=position, partition=number, limit=1_000).content
        ):
            offsets = [each["offset"] for each in events]
            assert offsets == list(range(position + 1, position + 1 + len(events)))
            for each in events:
                if each["type"] != FENCE_TYPE:
                    assert each["payload"] not in there, f"{each['payload']} is there twice"
                    there[each["payload"]] = (number, each["offset"])
            position = offsets[-1]
    wrong = {name: (place, there.get(name)) for name, place in users.told.items() if there.get(name) != place}
    assert not wrong, f"told, and where it is: {dict(list(wrong.items())[:10])} of {len(wrong)}"
    assert there.keys() - users.told.keys() <= users.open
    assert users.read.items() <= there.items()
    assert users.told.keys() <= users.read.keys()
    assert users.told.keys() <= users.leased.keys()
    assert set(users.leased.values()) == {1}
    assert max(users.pauses.values()) < sane_seconds
