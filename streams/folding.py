"""When two texts are the same to whoever looks for one: in capitals or not, composed or not. Pure."""

from unicodedata import normalize


def fold(text: str) -> str:
    """Return a text as all that differ from it in capitals or in Unicode's spelling alone are written.

    The four letters I of Turkish are one: whoever writes `istanbul` means `İstanbul` too.
    """
    if text.isascii():
        return text.lower()
    return normalize("NFC", normalize("NFC", text).casefold().replace("i\u0307", "i").replace("ı", "i"))
