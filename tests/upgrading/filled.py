"""An installation with something of everything that an upgrade has to leave as it is."""

from dataclasses import dataclass
from typing import Any

from tests.run.instance import wait_for
from tests.upgrading.person import Person, held

GROUP = {"mode": "lease", "ack_wait": 600, "max_failures": 3, "backoff": [0], "start": "earliest"}


@dataclass(frozen=True)
class Filled:
    """What was noted of it before the upgrade."""

    admin: Person
    events: list[list[dict[str, Any]]]  # by partition, as they were read
    key: str
    revoked_key: str
    deliveries_in_hand: list[dict[str, Any]]
    dead_letter: dict[str, Any]
    answer_to_once: Any  # what the append with the Idempotency-Key "once" was answered


PARTITIONS = 2
COMMITTED = 20
# What a client could send that a change of format might spoil: sizes, signs that are rare, numbers that are large.
AWKWARD: list[object] = [None, "ä\u2028\u0000", 2**64, -0.0, [[]], {"z": 1, "a": {"": "x" * 20_000}}]


def fill(admin: Person) -> Filled:
    admin.ask("POST", "/streams", {"name": "orders", "partitions": PARTITIONS, "deduplicate_ids": 86_400})
    body = {"name": "shop", "scopes": ["produce", "consume", "manage"]}
    key = admin.ask("POST", "/api-keys", body)["secret"]
    revoked = admin.ask("POST", "/api-keys", body)
    admin.ask("DELETE", f"/api-keys/{revoked['id']}")

    shop = Person(admin.url, key=key)
    for round_ in range(20):
        shop.append(*({"round": round_, "n": n} for n in range(10)))
    shop.append(*AWKWARD)
    for number in range(30):  # one at a time: what is merged later
        shop.append({"single": number})
    shop.ask("POST", "/events", {"stream": "orders", "id": "known", "key": "customer-0", "payload": "once in a day"})
    once = shop.ask("POST", "/events", ONCE, Idempotency_Key="once")

    for name in ("workers", "strict"):
        shop.ask("POST", "/streams/orders/consumer-groups", {"name": name, **GROUP})
    shop.ask("POST", "/streams/orders/consumer-groups", {"name": "readers", "mode": "offset", "start": "earliest"})
    shop.ask("PATCH", "/streams/orders/consumer-groups/strict", {"ordering": "partition"})
    committed = [{"partition": partition, "offset": COMMITTED} for partition in range(PARTITIONS)]
    shop.group("readers", "offsets", {"offsets": committed})

    [finished, given_up, *in_hand] = [shop.lease("workers", 10)[0] for _ in range(4)]
    shop.ack("workers", [finished])
    failed = [{"offset": given_up["events"][0]["offset"], "error": "no such customer", "terminal": True}]
    shop.group("workers", "ack", {"deliveries": [{**held(given_up), "failed": failed}]})
    wait_for("the dead letter", shop.dead_letters)
    [dead_letter] = shop.dead_letters()
    events = [shop.events(partition=partition) for partition in range(PARTITIONS)]
    return Filled(admin, events, key, revoked["secret"], in_hand, dead_letter, once)


ONCE = {"stream": "orders", "key": "customer-1", "payload": "asked for twice"}
