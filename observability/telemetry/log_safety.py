r"""What may not reach a log line: secrets, and characters that move the cursor or fake a line."""

import re

_SECRETS = re.compile(
    # API keys (the public id stays, so that the key can be found), JSON Web Tokens, passwords inside URLs.
    r"(?P<key>evf_(?:live|test)_[0-9A-Za-z]{12}_)[0-9A-Za-z]+"
    r"|(?P<token>eyJ[\w-]{5,}\.)[\w-]+(?:\.[\w-]*)?"
    r"|(?P<url>://[^\s:/@\"']{0,64}:)[^\s@/\"']+(?=@)"
)
_SECRET_NAMES = re.compile(r"passw|secret|authorization|api_key|cookie|signing", re.IGNORECASE)


def is_secret_name(name: str) -> bool:
    """Whether a field of this name is not to be shown, whatever it holds."""
    return _SECRET_NAMES.search(name) is not None


def redact_text(text: str) -> str:
    """Return `text` with keys, tokens and passwords in URLs blanked."""
    return _SECRETS.sub(lambda match: f"{match['key'] or match['token'] or match['url']}[redacted]", text)


def escape_text(text: str, *, keep: str = "") -> str:
    r"""Return `text` with everything unprintable as `\uXXXX`: controls, bidi marks, line separators.

    Inside a JSON document the escapes keep their meaning, because such characters stand only in strings.
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character in keep else _escape(character) for character in text
    )


def _escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
