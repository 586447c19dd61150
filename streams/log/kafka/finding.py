"""What is stored of requests whose outcome nobody told."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from confluent_kafka import Message

from streams.log.kafka.errors import KafkaSilent
from streams.log.kafka.places import Place
from streams.log.kafka.reading import KafkaReader
from streams.log.kafka.sent import Stored
from streams.log.kafka.settled import SettledEnds
from streams.log.kafka.tagging import index_in

_PATIENCE_SECONDS: Final = 2.0


class Finder:
    """Looks up to where places end for good, so that what it does not find will not appear either."""

    def __init__(self, reader: KafkaReader, settled: SettledEnds) -> None:
        self._reader = reader
        self._settled = settled

    def find_tagged(
        self, since: Mapping[Place, int], tag: bytes, *, until: float | None = None
    ) -> Mapping[int, Stored]:
        """Return what tries of a request have stored behind an offset of each place, by the events' places in it.

        Args:
            until: by the monotonic clock; None: some patience.

        Raises:
            KafkaSilent: nobody can tell until then.
        """
        if until is None:
            until = time.monotonic() + _PATIENCE_SECONDS
        found = self._find(since, lambda record: index_in(record, tag), until)
        if time.monotonic() > until:
            raise KafkaSilent("it took too long to look for what earlier tries have stored", is_of_one_topic=True)
        return found

    def find_records(self, place: Place, records: Sequence[bytes], *, since: int) -> Mapping[int, Stored]:
        """Return which records are there behind an offset, by their positions: each where it is first.

        Raises:
            KafkaSilent: nobody can tell.
        """
        # Of lines that are the same each is another one.
        left: dict[bytes, list[int]] = {}
        for index, record in enumerate(records):
            left.setdefault(record, []).insert(0, index)

        def index_of(record: Message) -> int | None:
            indexes = left.get(record.value() or b"")
            return indexes.pop() if indexes else None

        return self._find({place: since}, index_of, time.monotonic() + _PATIENCE_SECONDS)

    def _find(
        self, since: Mapping[Place, int], index_of: Callable[[Message], int | None], until: float
    ) -> Mapping[int, Stored]:
        places = list(since)
        found: dict[int, Stored] = {}
        for place, ends in zip(places, self._settled.ends(places, until=until), strict=True):
            found |= self._reader.find(place, ends, since=since[place], index_of=index_of)
        return found
