"""The ids of events in sixteen bytes each, as the log remembers them."""

import re
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

_BYTES: Final = 16
# As ids are usually written; in capitals or without hyphens it is another text, and so another id.
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)


def digests_of(ids: Iterable[str]) -> list[bytes]:
    """Return 16 bytes for each id.

    A UUID stands for itself: UUIDs that count up lie beside each other in an index. Any other text is hashed; that two
    texts meet by chance is as good as impossible, and who makes an id that meets another could have sent the other.
    """
    is_uuid = _UUID.fullmatch
    return [
        bytes.fromhex(each.replace("-", "")) if is_uuid(each) else blake2b(each.encode(), digest_size=_BYTES).digest()
        for each in ids
    ]
