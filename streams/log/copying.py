"""Beside the seam: what an engine offers that takes copies of events for clients of its own.

A copy is a record in a topic that belongs to no stream. Whoever copies says which event each record is of, and finds
out from the topic which of them are there, so that none is there twice.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from streams.cloudevents.records import EventRecord


class Lane(NamedTuple):
    """A partition of a topic, and the partition whose events are copied into it.

    Attributes:
        partition_id: whose records are ours, among those that others write there.
        end: of the topic, as far as it is known: behind the last record that was copied. None: nothing was yet.
    """

    number: int
    partition_id: int
    end: int | None


class LaneEnd(NamedTuple):
    """What is in a partition of a topic.

    Attributes:
        end: of the topic: where the next record comes.
        offsets: of the events whose copies are behind the end that was known, in the topic's order; if none was known,
            of the last one alone.
    """

    end: int
    offsets: tuple[int, ...]


class SentSpan(NamedTuple):
    """Where copies went in a partition of a topic: the first one, and the end behind the last one."""

    first: int
    end: int


class TopicCopier(Protocol):
    """Copies events into one topic, for one thread at a time, until it is closed.

    It may be told to stop, killed, or lose its connection at any moment: what it has sent by then may be there or not,
    and the next one looks (`look`).
    """

    def check_topic(self, partitions: int) -> None:
        """Return if the topic has so many partitions.

        Raises:
            EngineRefuses: it has not, or is not there; it says what has to be done.
            LogUnavailable
        """
        ...

    def look(self, lanes: Sequence[Lane], *, is_settled: bool) -> Mapping[int, LaneEnd]:
        """Return what is in partitions of the topic, by number.

        Args:
            is_settled: nobody has anything under way. If somebody may, it is waited for until that has arrived.

        Raises:
            EngineRefuses: what was copied is not there any more; it says what has to be done.
            LogUnavailable
        """
        ...

    def send(self, copies: Mapping[int, Sequence[EventRecord]]) -> Mapping[int, SentSpan]:
        """Store copies, by number of their partition and in their order; return where they are.

        Of each partition either all are stored, or some from the first one on.

        Raises:
            AppendNotStored: the first copy that could not be stored never will be; it says which and why.
            AppendOutcomeUnknown: nobody knows how many are stored.

        After either it is closed; another one looks.
        """
        ...

    def note_ends(self, ends: Mapping[int, int]) -> None:
        """Let the engine's own tools see how far it is, as its group's position; it does no harm if they do not."""
        ...

    def close(self) -> None:
        """Send nothing more: what is waiting here is dropped."""
        ...


@runtime_checkable
class TakesCopies(Protocol):
    """What an engine is that can take copies.

    Attributes:
        topic_prefix: what the names of its topics begin with that EventFlow makes.
        copy_seconds: how long after `send` was called something of it may still be sent, however it went.
    """

    topic_prefix: str
    copy_seconds: float

    def make_topic(self, topic: str, partitions: int, *, allow_weak: bool) -> None:
        """Make a topic for copies; one that is there must have as many partitions, and is never altered.

        Raises:
            EngineRefuses: it is there and differs, or the engine would be too weak, or may not.
            LogUnavailable
        """
        ...

    def open_copier(self, topic: str, group: str) -> TopicCopier:
        """Return what copies into a topic and tells its position as a group's; it connects when it is first used."""
        ...
