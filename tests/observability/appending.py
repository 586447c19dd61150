"""Putting events of known types and sizes into a stream, through the log itself."""

from datetime import datetime

from django.db import connection

from streams.log import get_log
from streams.log.protocol import PartitionAppend
from streams.lookup import load_stream
from streams.models import EventBatch, Stream


def append(stream: Stream, *types: str, partition: int = 0, payload: str = "x") -> int:
    """Append one event of each type in one batch; return the size of their records."""
    info = load_stream(stream.name)
    assert info is not None
    records = [
        b'{"id":"%d","type":"%s","key":null,"occurred_at":null,"headers":{},"payload":"%s"}'
        % (i, name.encode(), payload.encode())
        for i, name in enumerate(types)
    ]
    get_log().append([PartitionAppend(info.partitions[partition], records)])
    return sum(map(len, records))


def pretend_recorded(stream: Stream, last_offset: int, at: datetime, *, partition: int = 0) -> None:
    """Move a batch in time, as if it had been appended then."""
    EventBatch.objects.filter(partition__stream=stream, partition__number=partition, last_offset=last_offset).update(
        recorded_at=at
    )
    connection.close()
