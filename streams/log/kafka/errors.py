"""What the parts of the engine say to it; it says the same to its callers in their words."""


class KafkaSilent(Exception):
    """Kafka does not answer as it should; `reason` is for people.

    Attributes:
        is_unknown: it knows nothing of what it was asked for. That is no proof that it is gone.
        is_of_one_topic: it answers, and that topic alone is not as it should be.
    """

    def __init__(self, reason: str, *, is_unknown: bool = False, is_of_one_topic: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_unknown = is_unknown
        self.is_of_one_topic = is_unknown or is_of_one_topic
