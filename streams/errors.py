"""What can go wrong with streams and events."""

from dataclasses import dataclass

from accounts.errors import DomainError


class StreamNotFound(DomainError):
    code = "stream_not_found"
    title = "Stream not found"

    def __init__(self) -> None:
        # The same words whether it is missing or hidden from the caller.
        super().__init__("There is no such stream, or you may not see it.")


class StreamExists(DomainError):
    code = "stream_exists"
    title = "A stream of that name exists"


class StreamPaused(DomainError):
    code = "stream_paused"
    title = "Stream is paused"


class InvalidName(DomainError):
    code = "invalid_name"
    title = "Invalid name"


class ReservedName(DomainError):
    code = "reserved_name"
    title = "Reserved name"


class ConfirmationMissing(DomainError):
    code = "confirmation_missing"
    title = "Confirmation missing"


class PartitionNotFound(DomainError):
    code = "partition_not_found"
    title = "Partition not found"


class PartitionRequired(DomainError):
    code = "partition_required"
    title = "Partition required"


class EventNotFound(DomainError):
    code = "event_not_found"
    title = "Event not found"


class EventExpired(DomainError):
    code = "event_expired"
    title = "Event taken by retention"


# --- the events of an append ---


@dataclass(frozen=True, slots=True)
class EventFault:
    """One thing wrong with one item: a JSON pointer into the body, a code and words."""

    pointer: str
    code: str
    detail: str


class InvalidEvents(DomainError):
    """The whole request is refused; `faults` names each bad item."""

    code = "invalid_events"
    title = "Invalid events"

    def __init__(self, faults: list[EventFault]) -> None:
        count = len({fault.pointer.split("/")[1] for fault in faults if fault.pointer})
        super().__init__(f"{count or 1} of the events cannot be accepted; none was stored.")
        self.faults = faults


# --- the log ---


class PartitionGone(DomainError):
    """The partition was deleted between the look-up and the append; nothing was stored."""

    code = "stream_not_found"
    title = "Stream not found"


class AppendNotStored(DomainError):
    """Certainly nothing was stored: it failed before its commit was sent."""

    code = "not_stored"
    title = "Not stored"

    def __init__(self, detail: str = "The database could not take the events. Nothing was stored; retry.") -> None:
        super().__init__(detail)


class AppendOutcomeUnknown(DomainError):
    """The commit was under way when the connection or the time ran out."""

    code = "outcome_unknown"
    title = "Outcome unknown"

    def __init__(
        self, detail: str = "Nobody knows whether the events were stored. Retry with the same Idempotency-Key."
    ) -> None:
        super().__init__(detail)
