"""What actors ask for: requests by their meaning, so that the same actors play against HTTP and against the toy.

`sent` and `got` are what the history keeps, by the kind of request. Partitions are text where they are names of a
mapping, as JSON wants it; a run is [partition, first offset, "names of the events"]; `recorded` are [partition, offset,
wall time] of events that are for later or expire.

| kind | sent | got |
|---|---|---|
| append | base, count, form, key?, flaw? | places: [[partition, offset]…] or ranges: [[partition, first, last]…]; replayed |
| poll | after: {partition: offset} or "committed", partition?, limit, max_bytes, wait | runs, next, head, gaps, recorded |
| lease | max, wait, ack_wait, consumer | deliveries: [{id, token, partition, first, names, count, failures, round, letter, expires}], gaps, recorded |
| ack, nack, extend, release | items: [{id, token, partition, first, last, failed?: [[offset, delay, terminal]]}], delay?, terminal? | results: {id: word}, repeated: [id] |
| commit | offsets, beyond? | standing, status |
| offsets | | committed, head |
| report | partition, offset | letter |
| letters | status?, cursor? | letters: [{id, partition, offset, round, status}], next |
| letter | letter | the letter in full |
| redrive, discard | letter, edited? (the event's name), key? | |
| deliveries | | count |
| healthz, readyz | | |
"""

from dataclasses import dataclass, field
from typing import Any

from tests.faults.contract import DURABLE, REFUSED, UNKNOWN, UNREACHED


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. A `vanish` in `sent`, [where, seconds], has the client leave in its `body`, an `answer` or a `wait`."""

    kind: str
    stream: str = ""
    group: str = ""
    sent: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rest:
    """Do nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reply:
    """What an actor is told."""

    status: int | None
    outcome: str
    got: dict[str, Any] = field(default_factory=dict)
    request_id: str = ""

    @property
    def is_durable(self) -> bool:
        return self.outcome == DURABLE

    @property
    def is_refused(self) -> bool:
        return self.outcome in (REFUSED, UNREACHED)

    @property
    def is_unknown(self) -> bool:
        return self.outcome == UNKNOWN
