"""The copy of an event that a dead letter keeps."""

from typing import NamedTuple

from consumers.fingerprint import error_fingerprint
from consumers.statements import run
from consumers.states import ExhaustedReason
from streams.stored_event import Outline, outline_of


class DeadEvent(NamedTuple):
    """An event that a group gives up on, and why. `event` is None where retention took it meanwhile."""

    partition_id: int
    offset: int
    round: int
    event: bytes | None
    reason: ExhaustedReason
    delivery_count: int = 0
    failure_count: int = 0
    error: str = ""
    reporter: str = ""
    is_reported_copy: bool = False


class AddedDeadLetter(NamedTuple):
    id: int
    partition_id: int
    offset: int
    round: int


def add_dead_letters(*, group_id: int, dead: list[DeadEvent]) -> list[AddedDeadLetter]:
    """Keep these events; return those that were not kept before."""
    names = [outline_of(each.event) if each.event is not None else Outline() for each in dead]
    rows = run(
        "add_dead_letters",
        group_id=group_id,
        partition_ids=[each.partition_id for each in dead],
        offsets=[each.offset for each in dead],
        rounds=[each.round for each in dead],
        events=[each.event for each in dead],
        event_ids=[_plain(name.id) for name in names],
        event_types=[_plain(name.type) for name in names],
        event_keys=[_plain(name.key or "") for name in names],
        reasons=[each.reason.value for each in dead],
        delivery_counts=[each.delivery_count for each in dead],
        failure_counts=[each.failure_count for each in dead],
        errors=[each.error for each in dead],
        fingerprints=[error_fingerprint(each.error) for each in dead],
        reporters=[each.reporter for each in dead],
        are_reported_copies=[each.is_reported_copy for each in dead],
    )
    return [AddedDeadLetter(*row) for row in rows]


def _plain(text: str) -> str:
    """PostgreSQL's text has no NUL; the event itself is kept as it is."""
    return text.replace("\x00", "\ufffd")
