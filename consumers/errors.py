"""What can go wrong with consumer groups."""

from accounts.errors import DomainError


class ConsumerGroupNotFound(DomainError):
    code = "consumer_group_not_found"
    title = "Consumer group not found"

    def __init__(self) -> None:
        super().__init__("There is no such consumer group on this stream. Create it with POST …/consumer-groups.")


class ConsumerGroupExists(DomainError):
    code = "consumer_group_exists"
    title = "A consumer group of that name exists with other settings"


class WrongMode(DomainError):
    code = "wrong_mode"
    title = "Not possible in this group's mode"


class OffsetBeyondHead(DomainError):
    code = "offset_beyond_head"
    title = "Offset beyond the head"


class TooManyWaiting(DomainError):
    code = "too_many_waiting"
    title = "Too many waiting requests"

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} requests are waiting in this process. Retry in a moment, or without `wait`.")
