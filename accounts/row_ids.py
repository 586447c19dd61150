"""Ids of rows as they stand in addresses: plain decimal digits of a number that the database can hold."""

import re
from typing import Final

# The largest that a bigint holds.
MAX_ROW_ID: Final = 2**63 - 1
_ROW_ID = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)


def row_id_in(text: str) -> int | None:
    """Return the id that a text is, or None if it is none: then there is nothing by it."""
    number = int(text) if _ROW_ID.fullmatch(text) else 0
    return number if 0 < number <= MAX_ROW_ID else None
