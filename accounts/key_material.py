"""The text of an API key: `evf_<live|test>_<id>_<secret><check>`.

The id is public and indexed. The secret is 32 base62 characters (190 bits), the check six: a CRC32 of
all that stands before it, so that a typo, a truncated key or a secret scanner's false find is
dropped without a query. Only the SHA-256 of the whole key is kept: its secret is random and long, so a
slow password hash would add nothing but time.
"""

import hashlib
import re
import secrets
import zlib
from dataclasses import dataclass
from functools import lru_cache

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ID_LENGTH = 12
SECRET_LENGTH = 32
CHECK_LENGTH = 6
KEY_LENGTH = len("evf_live_") + ID_LENGTH + len("_") + SECRET_LENGTH + CHECK_LENGTH
PATTERN = re.compile(
    rf"evf_(?P<mode>live|test)_(?P<id>[0-9A-Za-z]{{{ID_LENGTH}}})"
    rf"_(?P<secret>[0-9A-Za-z]{{{SECRET_LENGTH}}})(?P<check>[0-9A-Za-z]{{{CHECK_LENGTH}}})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class KeyMaterial:
    """A well-formed key: its public id, what may be shown of it, and the hash to keep."""

    key_id: str
    prefix: str
    secret_hash: bytes


def make_key(mode: str = "live") -> tuple[str, KeyMaterial]:
    """Return a new key's text, to be shown once, and what is kept of it."""
    body = f"evf_{mode}_{_random(ID_LENGTH)}_{_random(SECRET_LENGTH)}"
    text = body + _check(body)
    material = parse_key(text)
    if material is None:
        raise AssertionError("a key that was just made must parse")
    return text, material


def parse_key(text: str) -> KeyMaterial | None:
    """Return the parts of a key, or None for any text that cannot be one."""
    return _parse(text) if len(text) == KEY_LENGTH else None


# A program sends the same key thousands of times; the length is checked before, so the memory stays small.
@lru_cache(maxsize=1_024)
def _parse(text: str) -> KeyMaterial | None:
    match = PATTERN.fullmatch(text)
    if match is None or _check(text[:-CHECK_LENGTH]) != match["check"]:
        return None
    return KeyMaterial(
        key_id=match["id"],
        prefix=f"evf_{match['mode']}_{match['id']}",
        secret_hash=hashlib.sha256(text.encode("ascii")).digest(),
    )


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def _check(body: str) -> str:
    number, digits = zlib.crc32(body.encode("ascii")), ""
    for _ in range(CHECK_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
