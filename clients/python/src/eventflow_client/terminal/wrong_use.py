"""What was typed, or left unsaid, so that nothing could be asked of a server."""


class WrongUse(Exception):
    """The text says what is wrong and how to mend it."""


class NoCredential(WrongUse):
    """There is nothing to ask a server with."""
