"""Errors that differ only in numbers and ids are the same error."""

import hashlib
import re

_LENGTH = 16
# Longest first: what is left of a UUID must not look like some other kind.
_VARIABLE = re.compile(
    r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"  # UUIDs
    r"|0x[0-9a-f]+"  # addresses
    r"|\b(?=[a-f]*[0-9])[0-9a-f]{8,}\b"  # hashes and other long hexadecimal ids
    r"|[0-9]+(?:[.:,][0-9]+)*",  # numbers, times, versions, network addresses
    re.IGNORECASE,
)
_SPACE = re.compile(r"\s+")


def error_fingerprint(error: str) -> str:
    """Return a short name that is the same for errors that differ only in numbers, ids and white space.

    No error at all has no fingerprint.
    """
    text = _SPACE.sub(" ", _VARIABLE.sub("#", error)).strip().lower()
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_LENGTH] if text else ""
