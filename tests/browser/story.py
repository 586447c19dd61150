"""Something to look at: streams, events, groups and keys, some of them named by people who mean no good."""

from dataclasses import dataclass
from typing import Any

import orjson

from accounts.models import ApiKey, User
from accounts.roles import Right, Role
from accounts.services.api_keys import create_api_key
from accounts.waits import run_blocking
from consumers.models import ConsumerGroup
from consumers.services.members import note_member_async
from streams.envelope import decode_events
from streams.models import Stream
from streams.services.ingest import append_events
from tests.factories import make_group, make_stream, make_user

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}{% debug %}\u202eevil"


@dataclass
class Story:
    owner: User
    stream: Stream
    group: ConsumerGroup
    leasing_group: ConsumerGroup
    key: ApiKey


def append(stream: Stream, *events: dict[str, Any], owner: User | None = None) -> None:
    """Append events as the stream's owner."""
    envelopes, _ = decode_events(orjson.dumps(list(events)), is_ndjson=False)
    append_events(
        caller=(owner or stream.owner).as_caller(),
        events=envelopes,
        is_single=False,
        stream_name=stream.name,
        render=lambda placement, ranges: b"",
    )


def tell_story(*, partitions: int = 1) -> Story:
    """Make an owner with a stream of 30 events, two groups and a key; whatever can be hostile is."""
    owner = make_user(Role.PRODUCER, Role.CONSUMER, name=HOSTILE[:120])
    stream = make_stream("orders", owner=owner, partitions=partitions, description=HOSTILE)
    append(
        stream,
        *(
            {"type": "order.created", "key": f"customer-{n}", "payload": {"order": n, "total": 19.90}}
            for n in range(29)
        ),
        {
            "type": "order.evil",
            "key": HOSTILE,
            "id": "javascript:alert(1)",
            "headers": {HOSTILE[:40]: "</script><script>alert(2)</script>"},
            "payload": {"</script><script>alert(3)</script>": HOSTILE, "big": 2**63, "deep": [[[["x"]]]]},
        },
    )
    for version, document in ((1, '{"type":"object"}'), (2, orjson.dumps({"description": HOSTILE}).decode())):
        stream.schemas.create(
            type="order.created", version=version, document=document, compatibility="none", created_by="user:1"
        )
    group = make_group(stream, "billing")
    leasing_group = make_group(stream, "warehouse", mode="lease")
    run_blocking(note_member_async(group_id=group.pk, name=HOSTILE[:128]))
    key = create_api_key(user=owner, name=HOSTILE[:120], scopes=[Right.PRODUCE, Right.CONSUME]).key
    return Story(owner, stream, group, leasing_group, key)
