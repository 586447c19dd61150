"""The order in which things are looked at: what a later look needs is known by then."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import httpx
import msgspec

from ...access import own_version
from ...models import Caller, Stream
from ...paths import of_group, of_stream
from ..progress import Progress
from ..server import Server
from . import live_streams, waits
from .asking import ask
from .clocks import look_at_clock
from .findings import Finding, Standing, unseen
from .reaching import explain_silence, look_at_encryption, look_at_server
from .rights import explain_refusal, look_at_group, look_at_scopes, look_at_stream, look_at_versions, read_caller

_FIRST_BYTE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the installation is to be used for.

    Attributes:
        stream, group: None: any.
        scopes: what the credential is to do.
        wait_seconds: how long a request is to wait; 0: none does.
    """

    stream: str | None
    group: str | None
    scopes: Sequence[str]
    wait_seconds: float


def reach(url: str, timeout_seconds: float) -> Generator[Finding, None, bool]:
    """Look at the server and the way to it, without a credential; return whether EventFlow answers there."""
    # A client that is made anew takes proxies and certificates from the environment, as the commands do.
    with httpx.Client(follow_redirects=False) as client:
        try:
            seen = ask(client, f"{url}/api/v1/auth/me", seconds=timeout_seconds)
        except httpx.HTTPError as error:
            yield explain_silence(url, error)
            return False
    yield (server := look_at_server(url, seen))
    if server.standing is Standing.WRONG:
        return False
    yield look_at_encryption(url, seen)
    yield look_at_clock(seen)
    return True


def look(server: Server, wanted: Wanted, timeout_seconds: float) -> Iterator[Finding]:
    """Look at what the credential may do, at the stream and group, and at what lasts.

    Raises:
        NoCredential: the session has ended.
    """
    with server.http() as client:
        seen = ask(client, f"{server.url}/api/v1/auth/me", seconds=timeout_seconds)
        if seen.problem:
            yield explain_refusal(seen)
            return
        caller = read_caller(seen)
        yield look_at_versions(caller, own_version())
        yield look_at_scopes(caller, wanted.scopes)
        stream = wanted.stream
        if stream is not None:
            found = ask(client, f"{server.url}/api/v1{of_stream(stream)}", seconds=timeout_seconds)
            yield look_at_stream(stream, caller, found)
            if wanted.group is not None and not found.problem:
                address = f"{server.url}/api/v1{of_group(stream, wanted.group)}"
                yield look_at_group(wanted.group, ask(client, address, seconds=timeout_seconds))
            if found.problem:
                stream = None
        else:
            stream = _any_stream(server, client, timeout_seconds)
        yield from _look_at_what_lasts(server, client, caller, stream, wanted)


def _any_stream(server: Server, client: httpx.Client, timeout_seconds: float) -> str | None:
    listed = ask(client, f"{server.url}/api/v1/streams", seconds=timeout_seconds, limit="1")
    if listed.problem:
        return None
    streams = msgspec.json.decode(listed.body, type=_Listed).data
    return streams[0].name if streams else None


def _look_at_what_lasts(
    server: Server, client: httpx.Client, caller: Caller, stream: str | None, wanted: Wanted
) -> Iterator[Finding]:
    why = None
    if caller.api_key is not None and not {"consume", "admin"} & set(caller.api_key.scopes):
        why = "The credential may not read, which they need."
    elif stream is None:
        why = "There is no stream to look with."
    if why is not None or stream is None:
        mend = "Name a stream that it may read, or take another key: --profile, --key-stdin."
        yield unseen(live_streams.CHECK, why or "", mend)
        yield unseen(waits.CHECK, why or "", mend)
        return
    yield live_streams.look_at_live_stream(client, server.url, stream, seconds=_FIRST_BYTE_SECONDS)
    if wanted.wait_seconds == 0:
        yield unseen(waits.CHECK, "It was not asked for: --wait.")
        return
    with Progress() as progress:
        progress.tell(f"A request waits for {wanted.wait_seconds:g} s …")
        finding = waits.look_at_wait(client, server.url, stream, seconds=wanted.wait_seconds)
    yield finding


class _Listed(msgspec.Struct):
    data: list[Stream]
