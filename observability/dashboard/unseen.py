"""Characters that are not seen, or that turn round what stands beside them, as marks. Pure.

A mark is drawn around the character, which stays in the page: what is copied is what was sent. And each mark stands
alone in its direction, so that nothing can pass for what it is not.
"""

import re
import unicodedata
from collections.abc import Iterator

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

# Controls but for tab and line ends, what formats or reverses, and letters that draw nothing. A joiner within an emoji
# belongs to it. The script has the same list in unseen.js.
UNSEEN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200c\u200e\u200f"
    r"\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e007f]"
    r"|(?<![\u2600-\u27bf\ufe0f\U0001f000-\U0001faff])\u200d"
)


def mark_unseen(text: object) -> SafeString:
    """Return a text for the page in which every unseen character is one to see, with its name on hover."""
    return format_html_join("", "{}", ((part,) for part in _parts(str(text))))


def _parts(text: str) -> Iterator[str]:
    """Yield a text in parts, of which the marks are markup."""
    seen_until = 0
    for found in UNSEEN.finditer(text):
        yield text[seen_until : found.start()]
        yield _mark(found)
        seen_until = found.end()
    yield text[seen_until:]


def _mark(found: re.Match[str]) -> SafeString:
    character = found[0]
    code = f"U+{ord(character):04X}"
    name = unicodedata.name(character, "control").lower()
    return format_html('<span class="unseen" data-code="{}" title="{}">{}</span>', code, name, character)
