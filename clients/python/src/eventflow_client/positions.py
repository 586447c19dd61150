"""Where a reader stands in each partition, as `EventFlow-Next-Offset` says it."""

import base64
import struct


def read_positions(text: str, *, partition: int = 0) -> dict[int, int]:
    """Return the last offset that was read, by partition.

    Args:
        text: `18`, `0=18,1=7`, or `packed.` with all partitions in their order, eight bytes each.
        partition: which one a plain number is about.
    """
    if text.startswith("packed."):
        raw = base64.urlsafe_b64decode(text.removeprefix("packed.") + "==")
        return dict(enumerate(struct.unpack(f">{len(raw) // 8}q", raw)))
    if "=" not in text:
        return {partition: int(text)}
    pairs = (each.split("=") for each in text.split(","))
    return {int(number): int(offset) for number, offset in pairs}
