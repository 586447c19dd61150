"""Names of streams and consumer groups: they stand in URLs, metrics and SQL, so they stay plain."""

import re

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,127}$"
# Words that a URL, a client library or a careless script could take for something else.
RESERVED_NAMES = frozenset(
    {"_dlq", "new", "admin", "metrics", "null", "none", "true", "false", "undefined", "constructor", "api", "all"}
)

_pattern = re.compile(NAME_PATTERN.removeprefix("^").removesuffix("$"), re.ASCII)


def is_well_formed(name: str) -> bool:
    """Whether `name` has the allowed form; `fullmatch`, since `$` would allow a trailing newline."""
    return _pattern.fullmatch(name) is not None


def is_reserved(name: str) -> bool:
    return name in RESERVED_NAMES
