"""The form of a stream's or a group's name: it stands in URLs, keys, metrics and SQL, so it stays plain."""

import re

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,127}$"

_pattern = re.compile(NAME_PATTERN.removeprefix("^").removesuffix("$"), re.ASCII)


def is_well_formed(name: str) -> bool:
    """Whether `name` has the allowed form; `fullmatch`, since `$` would allow a trailing newline."""
    return _pattern.fullmatch(name) is not None
