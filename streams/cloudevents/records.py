"""An event as a record of Kafka's, by CloudEvents' binding for Kafka in binary mode. Pure: bytes in, bytes out.

Each attribute is a header `ce_…`, the data's type is `content-type`, and the data is the value. What EventFlow adds is
beside them: where the event is in its stream's log.
"""

from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from streams.cloudevents.attributes import text_of
from streams.cloudevents.outgoing import attributes_of, binary_data_of, has_no_data
from streams.stored_event import decode_event

OFFSET_HEADER: Final = "ef-offset"
# A stream that was deleted and made anew has its name again, and other partitions.
LOG_HEADER: Final = "ef-log"
_PREFIX: Final = "ce_"
_TYPE_OF_DATA: Final = "datacontenttype"
_JSON: Final = b"application/json"
_encoder: Final = msgspec.json.Encoder()


class EventRecord(NamedTuple):
    """An event as a record.

    Attributes:
        offset: of the event.
        key: None: it has none.
        value: the data; None: it has none.
        headers: names and values, which are bytes.
    """

    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, str | bytes | None]]


def record_of(event: bytes, *, stream: str, partition_id: int) -> EventRecord:
    """Return an event of a stream as a record.

    Args:
        partition_id: of the partition that it is in, which no other one ever has.
    """
    stored = decode_event(event)
    attributes = attributes_of(stored, stream=stream)
    media_type = attributes.pop(_TYPE_OF_DATA, None)
    headers: list[tuple[str, str | bytes | None]] = [
        (_PREFIX + name, _bytes_of(value)) for name, value in attributes.items()
    ]
    binary = binary_data_of(stored)
    value = None if has_no_data(stored) else bytes(stored.payload) if binary is None else binary
    if media_type is not None:
        headers.append(("content-type", media_type.encode()))
    elif value is not None and binary is None:
        headers.append(("content-type", _JSON))
    headers += [(OFFSET_HEADER, b"%d" % stored.offset), (LOG_HEADER, b"%d" % partition_id)]
    return EventRecord(stored.offset, None if stored.key is None else stored.key.encode(), value, headers)


def _bytes_of(value: Any) -> bytes:
    # A time as the structured form has it, without its quotes.
    return _encoder.encode(value)[1:-1] if isinstance(value, datetime) else text_of(value).encode()
