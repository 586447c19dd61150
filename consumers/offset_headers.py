"""Offsets of several partitions in the headers of an answer, and in `last_offset`.

A proxy gives an answer's headers some room, nginx 4 KiB unless it is told otherwise, and a stream may have 256
partitions with offsets of 19 digits. So many partitions are written shorter, and what an answer says fits whatever the
offsets are.
"""

import base64
import binascii
import re
import struct
from collections.abc import Collection, Mapping
from typing import Final

from streams.conf import MAX_OFFSET
from streams.log.protocol import Gap

# Up to so many partitions are written one by one.
MAX_NAMED_PARTITIONS: Final = 32
PACKED: Final = "packed."
NUMBER_PATTERN: Final = r"(0|[1-9][0-9]{0,18})"
_ITEM: Final = rf"(0|[1-9][0-9]{{0,2}})={NUMBER_PATTERN}"
VECTOR_PATTERN: Final = rf"{_ITEM}(,{_ITEM})*"
PACKED_PATTERN: Final = r"packed\.[A-Za-z0-9_-]{11,2731}"
_vector = re.compile(VECTOR_PATTERN, re.ASCII)
_packed = re.compile(PACKED_PATTERN, re.ASCII)

NEXT_OFFSET_PATTERN: Final = f"^({NUMBER_PATTERN}|{VECTOR_PATTERN}|{PACKED_PATTERN})$"


def write_offset_headers(
    *,
    next_offsets: Mapping[int, int],
    head_offsets: Mapping[int, int],
    lags: Mapping[int, int],
    gaps: Mapping[int, Gap],
) -> dict[str, str]:
    """Return the headers that tell where an answer stands; each mapping is by partition number."""
    if len(next_offsets) > MAX_NAMED_PARTITIONS:
        # Heads are left out: two vectors would not fit, and only the first is needed to read on.
        headers = {"EventFlow-Next-Offset": _pack(next_offsets), "EventFlow-Lag": f"*={sum(lags.values())}"}
    else:
        headers = {
            "EventFlow-Next-Offset": _name_each(next_offsets),
            "EventFlow-Head-Offset": _name_each(head_offsets),
            "EventFlow-Lag": _name_each(lags),
        }
    if gaps:
        words = {number: f"{gap.first_offset}-{gap.last_offset}" for number, gap in gaps.items()}
        is_only = len(next_offsets) == 1
        headers["EventFlow-Gap"] = (
            next(iter(words.values())) if is_only else ",".join(f"{n}={words[n]}" for n in sorted(words))
        )
    return headers


def write_vector(offsets: Mapping[int, int]) -> str:
    """Return where somebody stands, by partition number, as `read_vector` takes it: `0=18`, `0=18,1=7`, or packed."""
    if len(offsets) > MAX_NAMED_PARTITIONS:
        return _pack(offsets)
    return ",".join(f"{number}={offsets[number]}" for number in sorted(offsets))


def read_vector(text: str, numbers: Collection[int], *, least: int | None = None) -> dict[int, int] | None:
    """Return the offset of each of the partitions `numbers`, or None unless `text` gives each of them one, once.

    Args:
        least: of so many it has to tell: those that follow may have been added after it was written, and begin at 0.
    """
    ordered = sorted(numbers)
    if text.startswith(PACKED):
        offsets = _unpack(text)
        given = dict(zip(ordered, offsets, strict=False)) if len(offsets) <= len(ordered) else {}
    elif _vector.fullmatch(text):
        items = [item.partition("=") for item in text.split(",")]
        given = {int(number): int(offset) for number, _, offset in items}
        if len(items) != len(given) or sorted(given) != ordered[: len(given)]:
            return None
    else:
        return None
    if not given or min(given.values()) < 0 or max(given.values()) > MAX_OFFSET:
        return None
    if len(given) < (len(ordered) if least is None else least):
        return None
    return dict.fromkeys(ordered, 0) | given


def count_in_vector(text: str) -> int:
    """Return of how many partitions it tells, as far as its length says; 0 where it is none."""
    if text.startswith(PACKED):
        return len(_unpack(text))
    return text.count("=")


def is_vector(text: str) -> bool:
    """Whether it means several partitions, well written or not."""
    return "=" in text or text.startswith(PACKED)


def _name_each(values: Mapping[int, int]) -> str:
    """A plain number for one partition, `0=18,1=7` for several."""
    if len(values) == 1:
        return str(next(iter(values.values())))
    return write_vector(values)


def _pack(values: Mapping[int, int]) -> str:
    """All offsets by partition, eight bytes each, big-endian, in URL-safe base64 without padding."""
    packed = struct.pack(f">{len(values)}q", *(values[number] for number in sorted(values)))
    return PACKED + base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _unpack(text: str) -> tuple[int, ...]:
    """The offsets that were packed; none where these were not."""
    if not _packed.fullmatch(text):
        return ()
    words = text.removeprefix(PACKED)
    try:
        packed = base64.urlsafe_b64decode(words + "=" * (-len(words) % 4))
    except binascii.Error:
        return ()
    return struct.unpack(f">{len(packed) // 8}q", packed) if len(packed) % 8 == 0 else ()
