"""What can go wrong with streams and events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from accounts.conf import MAX_FAULTS
from accounts.errors import DomainError
from streams.conf import QUARANTINE_RETRY_SECONDS


class StreamNotFound(DomainError):
    """There is no such stream, or the caller may not see it: the two look the same.

    Check the name; ask the stream's owner or an admin for access.
    """

    code = "stream_not_found"
    title = "Stream not found"

    def __init__(self) -> None:
        # The same words whether it is missing or hidden from the caller.
        super().__init__("There is no such stream, or you may not see it.")


class StreamExists(DomainError):
    """A stream of that name exists already, perhaps one that you may not see.

    Choose another name, or use the stream that is there.
    """

    code = "stream_exists"
    title = "A stream of that name exists"


class StreamPaused(DomainError):
    """The stream accepts no appends for now. Nothing was stored.

    Send the events again once its owner or an admin has resumed it (`PATCH /streams/{stream}` with `paused:
    false`).
    """

    code = "stream_paused"
    title = "Stream is paused"


class StreamRecreated(DomainError):
    """The events of this request were stored before, in a stream that was deleted since; another has its name now.

    This time nothing was stored. To store them in the stream of today, send them with a new `Idempotency-Key`.
    """

    code = "stream_recreated"
    title = "Stream was deleted and made anew"

    def __init__(
        self,
        detail: str = "The first request with this Idempotency-Key was stored in a stream that was deleted since, with "
        "its events. Nothing was stored now. To store them in the stream that has its name today, use a new key.",
    ) -> None:
        super().__init__(detail)


class InvalidName(DomainError):
    """The name of a stream or group has a form that it may not have.

    Use 1 to 128 of `a-z 0-9 . _ -`, beginning with a letter or digit.
    """

    code = "invalid_name"
    title = "Invalid name"


class ReservedName(DomainError):
    """The name could be taken for something else, in an address or by a script.

    Choose another name.
    """

    code = "reserved_name"
    title = "Reserved name"


class ConfirmationMissing(DomainError):
    """Deleting a stream, a consumer group, or events by a lower retention cannot be undone, nor can partitions be taken
    from a stream again: the request has to name the stream or group twice.

    `detail` says what happens. Add `?confirm=` with the name of what is deleted, or of the stream that is changed.
    """

    code = "confirmation_missing"
    title = "Confirmation missing"


class PartitionNotFound(DomainError):
    """The stream has no partition of that number.

    They are numbered from 0; `GET /streams/{stream}` says how many there are.
    """

    code = "partition_not_found"
    title = "Partition not found"


class PartitionsOnlyAdded(DomainError):
    """A stream was to have fewer partitions than it has. Nothing was changed.

    Partitions can only be added: the events of one that went would be gone, and its offsets with them. Make a new
    stream with fewer, and let its producers and consumers move.
    """

    code = "partitions_only_added"
    title = "Partitions can only be added"


class PartitionRequired(DomainError):
    """One offset was given, and the stream has several partitions.

    Say which with `partition`, or give offsets as `EventFlow-Next-Offset` does: `0=18,1=7`. Commit with
    `offsets`.
    """

    code = "partition_required"
    title = "Partition required"


class EventNotFound(DomainError):
    """Nothing was appended at that offset yet.

    Look at the head offset; offsets start at 1.
    """

    code = "event_not_found"
    title = "Event not found"


class EventExpired(DomainError):
    """Retention took the event.

    Nothing brings it back. Keep a stream's events for longer (`retention`), or let its consumers run more
    often.
    """

    code = "event_expired"
    title = "Event taken by retention"


class HeadMoved(DomainError):
    """The partition's head is not the one that `If-Head` names: others have appended, or it was never there.
    Nothing was stored.

    `head` is where it is. Read the events up to there, decide anew whether yours are still right, and send them with
    `If-Head` of that.
    """

    code = "head_moved"
    title = "Head moved"

    def __init__(self, *, expected: int, head: int) -> None:
        super().__init__(
            f"The head is {head}, not {expected}. Nothing was stored. Read the events up to {head}, then decide anew."
        )
        self.head = head


class HeadNotOfOne(DomainError):
    """`If-Head` names the head of one partition, and the events of the request do not all surely go to one.

    Send events of one stream whose keys lead to the same partition, or, without keys, to a stream of one partition.
    """

    code = "head_of_several"
    title = "Several partitions have a head"


# --- the events of an append ---


@dataclass(frozen=True, slots=True)
class EventFault:
    """One thing wrong with one item: a JSON pointer into the body, a code and words.

    Attributes:
        schema_version: of the schema that a payload was held to.
    """

    pointer: str
    code: str
    detail: str
    schema_version: int | None = None


class InvalidEvents(DomainError):
    """The whole request is refused and nothing is stored; `errors` names each bad item.

    Correct the items that `errors` points to (`/3/key` is the field `key` of the fourth event), and send the
    whole request again.
    """

    code = "invalid_events"
    title = "Invalid events"

    def __init__(self, faults: list[EventFault]) -> None:
        count = len({fault.pointer.split("/")[1] for fault in faults if fault.pointer})
        many = f"At least {count}" if len(faults) >= MAX_FAULTS else count or 1
        super().__init__(f"{many} of the events cannot be accepted; none was stored.")
        self.faults = faults


class InvalidPayloads(InvalidEvents):
    """The payloads are not as the schemas of their types say; nothing is stored. `errors` names what, and where.

    `errors[].pointer` leads into the payload (`/3/payload/total`), `schema_version` says which version of the schema
    it was held to; `GET /streams/{stream}/schemas/{type}/latest` shows it. Correct the payloads and send the whole
    request again.
    """

    code = "invalid_payloads"
    title = "Payloads do not fit their schema"


# --- schemas ---


class InvalidSchema(DomainError):
    """The schema cannot be used. `errors` names what is wrong, by pointers into the schema.

    Schemas are JSON Schema 2020-12 with references within themselves only (`#/$defs/…`), patterns without look-around
    and back references, and bounds on their size and on what they may look at for one value.
    """

    code = "invalid_schema"
    title = "Invalid schema"

    def __init__(self, faults: list[EventFault]) -> None:
        first = faults[0]
        super().__init__(f"The schema cannot be used: {first.pointer or 'as a whole'}: {first.detail}")
        self.faults = faults


class IncompatibleSchema(DomainError):
    """The new version of a schema breaks what its `compatibility` promises. Nothing was changed.

    `errors` names the changes that do, by pointers into the schemas. Change the schema so that it keeps the promise;
    or send it with `compatibility: none`, once everybody who relies on the version before is ready for it.
    """

    code = "incompatible"
    title = "Incompatible schema"

    def __init__(self, faults: list[EventFault]) -> None:
        many = "1 change breaks it" if len(faults) == 1 else f"{len(faults)} changes break it"
        super().__init__(f"The schema is not compatible with the version before: {many}.")
        self.faults = faults


class SchemaNotFound(DomainError):
    """The stream has no such version of a schema for this type of events.

    `GET /streams/{stream}/schemas` lists those that it has.
    """

    code = "schema_not_found"
    title = "Schema not found"


class TooManySchemas(DomainError):
    """The stream has as many schemas as one may have, all versions of all types counted.

    Use one more version only where the schema really changes, or another stream for other types.
    """

    code = "too_many_schemas"
    title = "Too many schemas"


class NothingToInferFrom(DomainError):
    """The stream keeps no event of this type among those that were looked at, so there is nothing to infer from.

    Append some, look at more of the stream (`last`), or write the schema by hand.
    """

    code = "nothing_to_infer_from"
    title = "No events to infer a schema from"


# --- the log ---


class PartitionGone(DomainError):
    """The partition was deleted between the look-up and the append; nothing was stored."""

    code = "stream_not_found"
    title = "Stream not found"


class AppendNotStored(DomainError):
    """Certainly nothing was stored: it failed before its commit was sent.

    Send it again after `Retry-After`. The answer carries `EventFlow-Stored: no`.
    """

    code = "not_stored"
    title = "Not stored"

    def __init__(self, detail: str = "The database could not take the events. Nothing was stored; retry.") -> None:
        super().__init__(detail)


class PlaceFenced(AppendNotStored):
    """The place that the events went to takes no more of them: its stream is being moved to another engine.

    Send it again after `Retry-After`. The answer carries `EventFlow-Stored: no`.

    Attributes:
        stored: for each append the offsets and times of those of its events that are there all the same.
        since: for each append an offset behind which all of its events are that are there; -1
            (`JUST_NOW`): nobody knows one.
    """

    def __init__(self, stored: Sequence[Sequence[tuple[int, datetime]]], since: Sequence[int]) -> None:
        super().__init__("The stream is being moved to another engine at this moment. Nothing was stored; retry.")
        self.stored = stored
        self.since = since


class AppendOutcomeUnknown(DomainError):
    """The commit was under way when the connection or the time ran out: stored or not, nobody knows.

    Send it again with the same `Idempotency-Key`. Without one, look whether the events are there before you do.
    """

    code = "outcome_unknown"
    title = "Outcome unknown"

    def __init__(
        self, detail: str = "Nobody knows whether the events were stored. Retry with the same Idempotency-Key."
    ) -> None:
        super().__init__(detail)


# --- the engines behind the log ---


class LogUnavailable(DomainError):
    """The engine that has the stream's events cannot be reached for now. Nothing was stored or changed.

    Send the request again after `Retry-After`. Streams in other engines go on; `/readyz` names the one that is away.
    """

    code = "engine_unavailable"
    title = "Engine unavailable"

    def __init__(self, alias: str, reason: str, retry_after: float = 1.0) -> None:
        super().__init__(f"The engine {alias} cannot be reached now: {reason}. Nothing was stored; retry.")
        self.alias = alias
        self.reason = reason
        self.retry_after_seconds = max(1, ceil(retry_after))


class TopicUnavailable(LogUnavailable):
    """The engine answers, but not for this stream: its topic is not there. Nothing was stored or changed.

    Send the request again after `Retry-After`. All other streams go on.
    """


class StreamQuarantined(LogUnavailable):
    """What lies in the engine is not what the stream had there: its topic was lost, cut short or made anew.

    Nothing is read of it and nothing appended, so that no offset that was told is given out again. `detail` says what
    was found. Whoever runs the installation looks at the topic, and then types `manage.py release_stream` with the
    stream's name: it says what is lost, and goes on where that is accepted.
    """

    code = "stream_quarantined"
    title = "Stream in quarantine"

    def __init__(self, alias: str, stream: str, reason: str) -> None:
        super().__init__(alias, reason, retry_after=QUARANTINE_RETRY_SECONDS)
        self.detail = (
            f"{stream} is in quarantine in the engine {alias}: {reason}. Nothing is read or stored there until whoever "
            f"runs this installation has looked at it (`release_stream {stream}`)."
        )


class NotOffered(DomainError):
    """The engine that has the stream's events cannot do this. Nothing was stored or changed.

    `detail` says what, and `GET /streams/{stream}` what the engine can: `capabilities`. Leave it out of the request, or
    use a stream in another engine.
    """

    code = "not_offered"
    title = "Not offered by the engine"

    def __init__(self, alias: str, what: str) -> None:
        super().__init__(f"The engine {alias} does not offer this: {what}. Nothing was stored or changed.")


class StreamReadOnly(DomainError):
    """The stream shows a topic that was adopted to be read, and takes no events. Nothing was stored.

    Append to the topic with a client of the engine, or adopt it as a stream of another name without `read_only`.
    """

    code = "stream_read_only"
    title = "Stream is read-only"


class UnknownEngine(DomainError):
    """A stream was to be made in an engine that the installation has not.

    `detail` lists those that it has. Leave `engine` out for the one that the installation runs on.
    """

    code = "unknown_engine"
    title = "No such engine"


class EngineRefuses(DomainError):
    """The engine would not keep the stream's events as it has to, or may not make a place for them. Nothing was made.

    `detail` says what it found and what it wants. Let whoever runs the engine change it there; where events may be
    lost with one broker, `allow_weak` takes that into the bargain.
    """

    code = "engine_refuses"
    title = "Engine refuses"


# --- mirrors ---


class MirrorNotFound(DomainError):
    """The stream has no mirror of that id.

    `GET /streams/{stream}/mirrors` lists those that it has.
    """

    code = "mirror_not_found"
    title = "Mirror not found"

    def __init__(self) -> None:
        super().__init__("The stream has no mirror of that id.")


class MirrorExists(DomainError):
    """Something is copied into the topic already, or its mirror was deleted a moment ago and ends now.

    Nothing was made. Name another topic. If you have just deleted a mirror into it, try again in half a minute.
    """

    code = "mirror_exists"
    title = "Topic has a mirror"


class TooManyMirrors(DomainError):
    """The stream has as many mirrors as one may have.

    Let several readers read one topic, or delete a mirror that nobody needs.
    """

    code = "too_many_mirrors"
    title = "Too many mirrors"


class MirrorUseless(DomainError):
    """The stream's events are in an engine of their own already, so there is nothing to mirror into another topic.

    `detail` names the engine and the topic. Read that topic, or ask whoever runs the cluster to replicate it.
    """

    code = "mirror_useless"
    title = "Stream is in that kind of engine already"


class InvalidTopic(DomainError):
    """A topic cannot have this name, or it is kept for streams that lie in the engine.

    Use 1 to 249 of `A-Z a-z 0-9 . _ -`, not beginning with `__`, and not ending with two numbers as the topics of
    streams do.
    """

    code = "invalid_topic"
    title = "Invalid topic"


class MoveUnderWay(DomainError):
    """The stream is being moved to another engine, and this has to wait until that has ended. Nothing was changed.

    `GET /streams/{stream}/moves` says how far it has come. Retry when it is over; whoever runs the installation can
    also end it with `manage.py move_stream NAME --abort`.
    """

    code = "move_under_way"
    title = "Move under way"


class MoveRefused(DomainError):
    """The stream cannot be moved to that engine as it is now. Nothing was changed.

    `detail` says all that stands in the way, and how to mend it. Ask with `dry_run` until nothing does.
    """

    code = "move_refused"
    title = "Move refused"


class MoveNotFound(DomainError):
    """The stream has no move of that id.

    `GET /streams/{stream}/moves` lists those that it has had.
    """

    code = "move_not_found"
    title = "Move not found"

    def __init__(self) -> None:
        super().__init__("The stream has no move of that id.")


class NoMoveUnderWay(DomainError):
    """No move of the stream is under way that could go on or be ended.

    `GET /streams/{stream}/moves` lists those that have ended.
    """

    code = "no_move_under_way"
    title = "No move under way"
