"""What the parts of the engine say to it; it says the same to its callers in their words."""


class KafkaSilent(Exception):
    """Kafka does not answer as it should; `reason` is for people.

    Attributes:
        is_unknown: it knows nothing of what it was asked for. That is no proof that it is gone.
    """

    def __init__(self, reason: str, *, is_unknown: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_unknown = is_unknown
