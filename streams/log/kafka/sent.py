"""An append on its way: what delivery reports have told of its records until now."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from confluent_kafka import KafkaError, Message

from accounts.latches import Latch, open_all
from streams.errors import AppendNotStored, AppendOutcomeUnknown
from streams.log.kafka.codes import FENCED, REFUSED
from streams.log.kafka.messages import milliseconds_of


class Stored(NamedTuple):
    """Where Kafka has put a record: its own offset, and its own time."""

    offset: int
    milliseconds: int


class SentRecords:
    """Records of one partition, in order.

    Kafka stores them in the order in which they were produced, but reports come as they come: those that timed out
    in the queue before those that were under way. So the offsets are sorted in the end, and not counted off.
    """

    __slots__ = ("_append", "doubts", "refusals", "stored")

    def __init__(self, append: "SentAppend") -> None:
        self._append = append
        self.stored: list[Stored] = []
        self.refusals: list[KafkaError] = []
        self.doubts = 0

    def report(self, error: KafkaError | None, message: Message) -> None:
        """Take a delivery report; in the thread that polls."""
        if error is None:
            offset = message.offset()
            if offset is None:
                # Sent again after a leader died, and known to have been stored the first time: but not where.
                self.doubts += 1
            else:
                self.stored.append(Stored(offset, milliseconds_of(message)))
        elif error.code() in REFUSED:
            self.refusals.append(error)
        else:
            self.doubts += 1
        self._append.count_report()

    def refuse(self, errors: Sequence[KafkaError]) -> None:
        """Take what librdkafka did not even queue."""
        self.refusals += errors

    @property
    def is_fenced(self) -> bool:
        """Whether a fence has refused any of them, and nothing else has."""
        return bool(self.refusals) and not self.doubts and all(each.code() == FENCED for each in self.refusals)

    def in_order(self) -> Iterator[Stored]:
        """Return where the records are, once all are stored, in the order in which they were produced."""
        return iter(sorted(self.stored))


class SentAppend:
    """All records of an append. Reports come in one thread, all else from whoever sends."""

    __slots__ = ("_expected", "_finished", "_reported", "is_given_up", "latch", "of_partitions", "size")

    def __init__(self, latch: Latch, *, finished: list[Latch], size: int) -> None:
        self.latch = latch
        self.size = size
        self.of_partitions: list[SentRecords] = []
        # The thread that polls opens latches when it has taken all reports that are there.
        self._finished = finished
        self._reported = 0
        # Until all is queued nobody knows how many reports will come.
        self._expected: int | None = None
        self.is_given_up = False

    def begin_partition(self) -> SentRecords:
        self.of_partitions.append(SentRecords(self))
        return self.of_partitions[-1]

    def count_report(self) -> None:
        self._reported += 1
        if self._reported == self._expected:
            self._finished.append(self.latch)

    def expect(self, count: int) -> None:
        """Say how many reports will come; if they have, the latch opens at once."""
        self._expected = count
        if self.is_complete:
            open_all([self.latch])

    @property
    def is_complete(self) -> bool:
        return self._reported == self._expected

    def give_up(self) -> None:
        """Expect no more reports: nobody knows what became of the rest."""
        self.is_given_up = True

    @property
    def is_fenced(self) -> bool:
        """Whether all that is missing was refused by a fence."""
        return (
            self.is_complete
            and any(records.refusals for records in self.of_partitions)
            and all(records.is_fenced for records in self.of_partitions if records.refusals or records.doubts)
        )

    def check(self) -> None:
        """Return if every record is stored.

        Raises:
            AppendNotStored: every one of them was refused before it was written anywhere.
            AppendOutcomeUnknown: some are stored, or may be.
        """
        refusals = [error for records in self.of_partitions for error in records.refusals]
        is_in_doubt = not self.is_complete or any(records.doubts for records in self.of_partitions)
        if not refusals and not is_in_doubt:
            return
        if is_in_doubt or any(records.stored for records in self.of_partitions):
            raise AppendOutcomeUnknown
        why = ", ".join(sorted({error.name() for error in refusals}))
        raise AppendNotStored(f"Kafka did not take the events ({why}). Nothing was stored; retry.")
