"""Files that are made while they are sent, and how many of them at once."""

from collections.abc import Iterable
from contextlib import ExitStack
from typing import Final

from django.http import StreamingHttpResponse

from accounts.caller import Caller
from accounts.conf import MAX_DOWNLOADS
from accounts.errors import RateLimited
from accounts.limits.places import Places

_BUCKET: Final = "downloads"


def refuse() -> RateLimited:
    """Return what whoever gets no place is told."""
    return RateLimited(_BUCKET, "owner", retry_after_seconds=1)


_places = Places(_BUCKET, MAX_DOWNLOADS, refuse)


class Download(StreamingHttpResponse):
    """A file for whoever asks; it holds a place until it was sent, or cannot be sent any more.

    Raises:
        RateLimited: so many are under way in this process, or the caller has their share of them.
    """

    def __init__(self, pieces: Iterable[bytes | str], *, caller: Caller, name: str, content_type: str) -> None:
        self._place = ExitStack()
        self._place.enter_context(_places.hold(caller))
        super().__init__(pieces, content_type=f"{content_type}; charset=utf-8")
        self["Content-Disposition"] = f'attachment; filename="{name}"'

    def give_place_back(self) -> None:
        """Let somebody else have the place; once is enough, and more do no harm."""
        self._place.close()

    def close(self) -> None:
        self.give_place_back()
        super().close()
