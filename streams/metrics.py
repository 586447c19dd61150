"""What is counted where it happens: appends, reads, rejections."""


def count_append(stream: str, events: int, size: int, seconds: float) -> None: ...


def count_read(stream: str, events: int, size: int, seconds: float) -> None: ...
