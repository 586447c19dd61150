"""The header `Authorization`, as RFC 9110 has it: the scheme in any case, then one or more spaces."""


def bearer_token_of(header: str) -> str | None:
    """Return the token of a bearer header, or None if there is none in it."""
    scheme, _, rest = header.partition(" ")
    return rest.lstrip(" ") or None if scheme.lower() == "bearer" else None
