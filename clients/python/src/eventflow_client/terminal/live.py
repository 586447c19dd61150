"""A stream's events as they come; a connection that breaks is told of, and made anew."""

from collections.abc import Sequence

from .._sync.live import LiveStream
from .output import remark
from .server import Server


def live_events(
    server: Server, stream: str, *, place: str, partition: int | None = None, types: Sequence[str] = ()
) -> LiveStream:
    """Return what comes after `place`, the last offset that was seen as polls take it."""
    return LiveStream(server.transport, stream, place=place, partition=partition, types=types, on_cut=_tell_of_cut)


def _tell_of_cut(why: str) -> None:
    remark(f"Cut off ({why}); trying again. `eventflow doctor` looks what is in between.")
