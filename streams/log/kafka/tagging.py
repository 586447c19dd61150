"""Records of a request that may come twice: each carries which request it is of, and its place in it.

Receipts and events are in different stores, so a request may die between them. Its retry looks in the log for what
the first try has stored, and sends the rest.
"""

from typing import Any, Final

from confluent_kafka import Message

TAG_BYTES: Final = 16
_HEADER: Final = "ef-req"
_INDEX_BYTES: Final = 4


def header_of(tag: bytes, index: int) -> tuple[str, bytes]:
    """Return the header of a request's record.

    Args:
        tag: 16 bytes that no other request has.
        index: from 0, over all partitions of the request.
    """
    return _HEADER, tag + index.to_bytes(_INDEX_BYTES, "big")


def index_in(record: Message, tag: bytes) -> int | None:
    """Return a record's place in the request of that tag; None: it is of another one."""
    headers: Any = record.headers() or ()
    for name, value in headers:
        if name == _HEADER and value is not None and value[:TAG_BYTES] == tag:
            return int.from_bytes(value[TAG_BYTES:], "big")
    return None
