"""From where to read: what is typed, as the server takes it."""

import base64
import struct
from typing import Final

from ..paths import of_stream
from ..positions import read_positions
from ..requests import get
from .server import Server

# More than so many would make a long address.
_WRITTEN_OUT: Final = 32


def before_the_last(server: Server, stream: str, count: int, partition: int | None) -> str:
    """Return the place before the last `count` events of each partition."""
    heads = head_of(server, stream, partition)
    if count == 0:
        return heads
    is_one = partition is not None or ("=" not in heads and not heads.startswith("packed."))
    offsets = {number: max(0, head - count) for number, head in read_positions(heads).items()}
    return str(offsets[0]) if is_one else write_positions(offsets)


def head_of(server: Server, stream: str, partition: int | None) -> str:
    """Return the place after all that is there now."""
    request = get(f"{of_stream(stream)}/events", last_offset="latest", limit=1, partition=partition)
    return server.transport.send(request).headers["eventflow-next-offset"]


def write_positions(offsets: dict[int, int]) -> str:
    """Return offsets by partition as `read_positions` reads them; packed where all partitions of many are there."""
    if len(offsets) > _WRITTEN_OUT and sorted(offsets) == list(range(len(offsets))):
        raw = struct.pack(f">{len(offsets)}q", *(offsets[number] for number in range(len(offsets))))
        return "packed." + base64.urlsafe_b64encode(raw).decode().rstrip("=")
    return ",".join(f"{number}={offset}" for number, offset in sorted(offsets.items()))
