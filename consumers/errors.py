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
