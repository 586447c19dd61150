"""Topics of the distant engine: what copies of events are stored in, and who copies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streams.cloudevents.records import LOG_HEADER, EventRecord
from streams.errors import AppendNotStored, AppendOutcomeUnknown, EngineRefuses
from streams.log.copying import Lane, LaneEnd, SentSpan


@dataclass
class Copying:
    """What the next `send` meets, and what was told.

    Attributes:
        stored_before_it_failed: so many copies of each partition are stored, and then nobody knows; None: all are.
        refuses_offset: an event that is never taken.
        arriving: copies that somebody else has under way: they are stored when a looker waits for them.
        ends: what was told of the group.
    """

    stored_before_it_failed: int | None = None
    refuses_offset: int | None = None
    arriving: list[tuple[int, EventRecord]] = field(default_factory=list)
    ends: dict[str, Mapping[int, int]] = field(default_factory=dict)


class DistantTopics:
    """Records by topic and partition."""

    def __init__(self) -> None:
        self.records: dict[str, list[list[EventRecord]]] = {}
        self.copying = Copying()

    def make(self, topic: str, partitions: int) -> None:
        lanes = self.records.setdefault(topic, [[] for _ in range(partitions)])
        if len(lanes) != partitions:
            raise EngineRefuses(f"it has {len(lanes)} partitions, and has to have {partitions}")

    def offsets(self, topic: str) -> list[list[int]]:
        return [[record.offset for record in lane] for lane in self.records[topic]]


class DistantCopier:
    """`TopicCopier` in memory."""

    def __init__(self, topics: DistantTopics, topic: str, group: str) -> None:
        self._topics = topics
        self._topic = topic
        self._group = group

    def check_topic(self, partitions: int) -> None:
        if len(self._topics.records.get(self._topic, [])) != partitions:
            raise EngineRefuses(f"the topic {self._topic} has other partitions")

    def look(self, lanes: Sequence[Lane], *, is_settled: bool) -> Mapping[int, LaneEnd]:
        records = self._topics.records[self._topic]
        if not is_settled:
            for number, record in self._topics.copying.arriving:
                records[number].append(record)
            self._topics.copying.arriving.clear()
        found = {}
        for lane in lanes:
            own = b"%d" % lane.partition_id
            behind = [
                record.offset
                for record in records[lane.number][lane.end or 0 :]
                if dict(record.headers)[LOG_HEADER] == own
            ]
            found[lane.number] = LaneEnd(len(records[lane.number]), tuple(behind[-1:] if lane.end is None else behind))
        return found

    def send(self, copies: Mapping[int, Sequence[EventRecord]]) -> Mapping[int, SentSpan]:
        copying = self._topics.copying
        spans = {}
        for number, records in copies.items():
            lane = self._topics.records[self._topic][number]
            first = len(lane)
            for record in records:
                if record.offset == copying.refuses_offset:
                    raise AppendNotStored(f"the event at offset {record.offset} is not taken")
                lane.append(record)
                if len(lane) - first == copying.stored_before_it_failed:
                    copying.stored_before_it_failed = None
                    raise AppendOutcomeUnknown("its answers do not come in time")
            spans[number] = SentSpan(first, len(lane))
        return spans

    def note_ends(self, ends: Mapping[int, int]) -> None:
        self._topics.copying.ends[self._group] = dict(ends)

    def close(self) -> None:
        pass
