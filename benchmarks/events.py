"""Events like real ones: about 300 bytes of JSON that differ from each other."""

import json
import random

_random = random.Random(42)
_NAMES = ["Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Leslie", "Tony", "Radia", "Ken"]


def make_event(number: int, **fields: object) -> dict[str, object]:
    """Return one event; its JSON has about 300 bytes."""
    return {
        "type": _random.choice(["order.created", "order.paid", "order.shipped"]),
        "key": f"customer-{_random.randrange(10_000)}",
        "payload": {
            "order_id": 1_000_000 + number,
            "customer": {"name": _random.choice(_NAMES), "city": _random.choice(["Berlin", "Oslo", "Lima", "Kyoto"])},
            "items": [
                {
                    "sku": f"SKU-{_random.randrange(1000)}",
                    "quantity": _random.randrange(1, 5),
                    "price": round(_random.uniform(1, 99), 2),
                }
                for _ in range(2)
            ],
            "total": round(_random.uniform(5, 500), 2),
            "currency": "EUR",
            "placed_at": f"2026-11-22T{_random.randrange(24):02}:{_random.randrange(60):02}:{_random.randrange(60):02}Z",
        },
        **fields,
    }


def make_body(count: int, first: int = 0) -> bytes:
    """Return the body of a request with `count` events."""
    return json.dumps([make_event(first + number) for number in range(count)], separators=(",", ":")).encode()
