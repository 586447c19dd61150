"""How a producer behaves: numbers with their units, and the requests that it sends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .paths import of_stream
from .requests import Request, new_key


@dataclass(frozen=True, slots=True)
class ProducerSettings:
    """
    Attributes:
        linger_seconds: how long an event waits for others to go with.
        batch_events, batch_bytes: a batch goes at once when it has so many; the server takes 1,000 and 8 MiB.
        buffer_bytes: events that are not settled take no more than this; `enqueue` waits for room.
        room_seconds: how long it waits for that.
        give_up_seconds: after so long an event that is not settled has failed.
        lanes: requests under way at a time for one stream. Events of one key keep their order whatever this is; those
            without a key keep theirs too, in one lane.
        senders: requests under way at a time for all streams.
        close_seconds: how long closing, or the end of the program, waits for what is unsettled.
    """

    linger_seconds: float = 0.005
    batch_events: int = 1000
    batch_bytes: int = 1024 * 1024
    buffer_bytes: int = 64 * 1024 * 1024
    room_seconds: float = 30.0
    give_up_seconds: float = 120.0
    lanes: int = 1
    senders: int = 4
    close_seconds: float = 30.0

    def __post_init__(self) -> None:
        if not 1 <= self.batch_events <= 1000:
            raise ValueError("`batch_events` is 1 to 1000: the server takes no more in one request.")
        if self.lanes < 1 or self.senders < 1:
            raise ValueError("`lanes` and `senders` are at least 1.")


def append_to(
    stream: str | None,
    bodies: Sequence[bytes],
    *,
    idempotency_key: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Request:
    """Return the request that stores all of the events, or none.

    Args:
        stream: None: each event names its own.
        idempotency_key: a new one if none is given.
    """
    path = "/events" if stream is None else f"{of_stream(stream)}/events"
    given = {"Idempotency-Key": idempotency_key or new_key(), **(headers or {})}
    return Request("POST", path, body=b"[%b]" % b",".join(bodies), headers=given)
