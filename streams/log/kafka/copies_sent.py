"""Copies on their way: what delivery reports have told of them until now."""

from collections.abc import Callable, Iterator

from confluent_kafka import KafkaError, Message

from streams.errors import AppendNotStored, AppendOutcomeUnknown
from streams.log.copying import SentSpan
from streams.log.kafka.codes import REFUSED

Report = Callable[[KafkaError | None, Message], None]


class SentLane:
    """Copies for one partition. All of it happens in the thread that sends."""

    __slots__ = ("doubts", "is_cut", "queued", "refusal", "reported", "stored")

    def __init__(self) -> None:
        self.queued = 0
        self.reported = 0
        self.stored: list[int] = []
        self.doubts: list[str] = []
        # The first event that was refused for good, and why.
        self.refusal: tuple[int, KafkaError] | None = None
        self.is_cut = False

    def reporter(self, offset: int) -> Report:
        """Return what takes the report of an event's copy."""

        def report(error: KafkaError | None, message: Message) -> None:
            self.reported += 1
            if error is None:
                at = message.offset()
                if at is None:
                    # Sent again, and known to have been stored the first time: but not where.
                    self.doubts.append("it does not say where it has stored them")
                else:
                    self.stored.append(at)
            elif error.code() in REFUSED:
                self.refuse(offset, error)
            else:
                self.doubts.append(error.name())

        return report

    def refuse(self, offset: int, error: KafkaError) -> None:
        if self.refusal is None or offset < self.refusal[0]:
            self.refusal = (offset, error)

    def give_up(self) -> None:
        """Leave out the rest: there is no room for it."""
        self.is_cut = True

    @property
    def is_complete(self) -> bool:
        return self.reported == self.queued


class SentCopies:
    """All copies of one call."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self._lanes: dict[int, SentLane] = {}

    def begin(self, number: int) -> SentLane:
        return self._lanes.setdefault(number, SentLane())

    @property
    def is_complete(self) -> bool:
        return all(lane.is_complete for lane in self._lanes.values())

    def spans(self) -> dict[int, SentSpan]:
        """Return where they are, if all are stored.

        Raises:
            AppendNotStored, AppendOutcomeUnknown
        """
        doubts = sorted(set(self._doubts()))
        refused = [(number, *lane.refusal) for number, lane in self._lanes.items() if lane.refusal is not None]
        if refused:
            number, offset, error = refused[0]
            raise AppendNotStored(
                f"The engine {self._alias} does not take the event at offset {offset} of partition {number}: "
                f"{error.str()}."
            )
        if doubts:
            raise AppendOutcomeUnknown(
                f"The engine {self._alias} did not say that it has stored all events ({', '.join(doubts)})."
            )
        return {number: SentSpan(min(lane.stored), max(lane.stored) + 1) for number, lane in self._lanes.items()}

    def _doubts(self) -> Iterator[str]:
        for lane in self._lanes.values():
            yield from lane.doubts
            if not lane.is_complete:
                yield "no answer in time"
            if lane.is_cut:
                yield "no room"
