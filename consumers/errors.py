"""What can go wrong with consumer groups."""

from accounts.errors import DomainError


class ConsumerGroupNotFound(DomainError):
    """The stream has no consumer group of that name. Polling does not create one.

    Create it: `POST /streams/{stream}/consumer-groups`.
    """

    code = "consumer_group_not_found"
    title = "Consumer group not found"

    def __init__(self) -> None:
        super().__init__("There is no such consumer group on this stream. Create it with POST …/consumer-groups.")


class ConsumerGroupExists(DomainError):
    """A group of that name exists with other settings.

    Change it with PATCH, or choose another name. An equal one would have been answered with 200.
    """

    code = "consumer_group_exists"
    title = "A consumer group of that name exists with other settings"


class WrongMode(DomainError):
    """The group is in the other mode: offsets are committed in offset mode, deliveries are leased in lease
    mode.

    Use the verbs of its mode; a group's mode is fixed when it is created.
    """

    code = "wrong_mode"
    title = "Not possible in this group's mode"


class GroupPaused(DomainError):
    """The group is paused: polls with it are refused until somebody who manages it lets it go on. Commits are taken.

    Ask again later, or resume it (`PATCH …/consumer-groups/{group}` with `paused: false`).
    """

    code = "group_paused"
    title = "Consumer group is paused"


class MoreThanLost(DomainError):
    """More is acknowledged than the group has ever lost: nobody can have seen that. Nothing was acknowledged.

    Send the `lost_total` that the group or its stream's stats show.
    """

    code = "more_than_lost"
    title = "More than the group has lost"


class InvalidCopy(DomainError):
    """The copy that came with a reported dead letter is not the event that is reported. Nothing was kept.

    Send `event` as the poll gave it, with its `partition`, `offset` and `recorded_at`, or leave it out.
    """

    code = "invalid_copy"
    title = "Not a copy of this event"


class OffsetBeyondHead(DomainError):
    """The offset to commit is higher than the head offset: no such event exists yet. Nothing was committed.

    Commit the offset of the last event that you have finished.
    """

    code = "offset_beyond_head"
    title = "Offset beyond the head"


class TooManyWaiting(DomainError):
    """As many requests wait in this server process as it has room for.

    Retry in a moment, or poll without `wait`. More web workers make more room.
    """

    code = "too_many_waiting"
    title = "Too many waiting requests"

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} requests are waiting in this process. Retry in a moment, or without `wait`.")


class LeaseLost(DomainError):
    """None of the leases that the request names is the caller's (any more): each expired and was taken back,
    was ended before, or the group was sought elsewhere. Somebody else may have these events now, and nothing was
    changed.

    Drop what was done with them, or rely on its being idempotent, and lease again.
    """

    code = "lease_lost"
    title = "Lease lost"

    def __init__(self, delivery_ids: list[int]) -> None:
        super().__init__(
            "The lease expired and was taken back, was ended before, or the group was sought elsewhere. "
            "Nothing was changed."
        )
        self.delivery_ids = delivery_ids


class OffsetNotInDelivery(DomainError):
    """An ack names a failed offset that its delivery does not have. Nothing of the request was done.

    Name offsets from `first_offset` to `last_offset` of the delivery.
    """

    code = "offset_not_in_delivery"
    title = "Offset outside of the delivery"


class DeliveryNotFound(DomainError):
    """The group has no delivery with this id: its events were acked, became dead letters, or the group was sought
    elsewhere.

    List what is not finished: `GET …/consumer-groups/{group}/deliveries`.
    """

    code = "delivery_not_found"
    title = "Delivery not found"

    def __init__(self) -> None:
        super().__init__("The group has no such delivery: it was finished, became a dead letter, or never was.")


class DeliveryNotWaiting(DomainError):
    """Only what waits for its next attempt can be tried again now: a consumer has leased it meanwhile, or no attempt
    is left. Nothing was changed.

    Look at where it stands: `GET …/consumer-groups/{group}/deliveries`.
    """

    code = "delivery_not_waiting"
    title = "Delivery is not waiting"


class DeliveryNotLeased(DomainError):
    """Nobody holds a lease on the delivery, or another one than was meant: it ended, and was perhaps leased again.
    Nothing was changed.

    Look at where it stands: `GET …/consumer-groups/{group}/deliveries`.
    """

    code = "delivery_not_leased"
    title = "Delivery is not leased"


class DeadLetterNotFound(DomainError):
    """There is no dead letter with this id, or it belongs to a stream that is hidden from the caller.

    List those that you may see: `GET /dead-letters`.
    """

    code = "dead_letter_not_found"
    title = "Dead letter not found"

    def __init__(self) -> None:
        # The same words whether it is missing or hidden from the caller.
        super().__init__("There is no such dead letter, or you may not see it.")


class DeadLetterNotOpen(DomainError):
    """The dead letter was redriven, resolved or discarded before. Nothing was changed: a second click is harmless.

    Look at it to see what became of it: `GET /dead-letters/{id}`.
    """

    code = "not_open"
    title = "Dead letter is not open"


class DeadLetterWithoutEvent(DomainError):
    """Retention took the event while it was still being tried, so there is nothing to send again.

    Resolve or discard the dead letter; keep events for longer than they are retried.
    """

    code = "dead_letter_without_event"
    title = "Dead letter has no copy of its event"


class EventErased(DomainError):
    """The event's payload was erased, and no other may be put in its place. Nothing was changed.

    Redrive it without a `payload`, and its consumer gets it as it is now; or resolve or discard the dead letter.
    """

    code = "event_erased"
    title = "Event was erased"


class BulkActionNotFound(DomainError):
    """There is no bulk redrive or discard with this id, or somebody else asked for it and you do not manage its groups.

    Use the id that the bulk request was answered with, or look for it: `GET /dead-letters/bulk-actions`.
    """

    code = "bulk_action_not_found"
    title = "Bulk action not found"

    def __init__(self) -> None:
        super().__init__("There is no such bulk action, or you may not see it.")


class BulkActionFinished(DomainError):
    """The bulk redrive or discard had come to its end before it could be cancelled. Nothing was changed.

    Look at what it did: `GET /dead-letters/bulk-actions/{id}`.
    """

    code = "bulk_action_finished"
    title = "Bulk action is finished"
