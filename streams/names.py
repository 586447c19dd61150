"""Names of streams and consumer groups: a plain form (accounts/names.py), and a few words are reserved."""

from accounts.names import NAME_PATTERN, is_well_formed

__all__ = ["NAME_PATTERN", "RESERVED_NAMES", "is_reserved", "is_well_formed"]

# Words that a URL, a client library or a careless script could take for something else.
RESERVED_NAMES = frozenset(
    {"_dlq", "new", "admin", "metrics", "null", "none", "true", "false", "undefined", "constructor", "api", "all"}
)


def is_reserved(name: str) -> bool:
    return name in RESERVED_NAMES
