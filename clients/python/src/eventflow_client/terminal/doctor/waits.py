"""Does a request that waits get as long as it asked for?"""

import time
from typing import Final

import httpx

from ...paths import of_stream
from .asking import Seen, ask
from .findings import Finding, good, unseen, wrong

CHECK: Final = "waits"
# A wait that somebody's events end says nothing; so often it is tried.
_ATTEMPTS: Final = 3
_SPARE_SECONDS: Final = 5.0


def look_at_wait(client: httpx.Client, url: str, stream: str, *, seconds: float) -> Finding:
    """Poll at the end of the stream, as a consumer does that waits for events."""
    address = f"{url}/api/v1{of_stream(stream)}/events"
    for _ in range(_ATTEMPTS):
        began = time.monotonic()
        try:
            seen = ask(
                client, address, seconds=seconds + _SPARE_SECONDS, last_offset="latest", limit="1", wait=f"{seconds:g}"
            )
        except httpx.ReadTimeout:
            return wrong(
                CHECK, f"No answer {_SPARE_SECONDS:g} s after a wait of {seconds:g} s was over.", _longer(seconds)
            )
        except httpx.HTTPError as error:
            return _cut(
                time.monotonic() - began, f"the connection broke ({str(error) or type(error).__name__})", seconds
            )
        if (problem := seen.problem) and seen.is_ours:
            return _refused(problem.status, problem.detail, seen, seconds)
        if not seen.is_ours:
            return _cut(seen.seconds, f"something in between answered {seen.status}", seconds)
        if seen.seconds >= seconds - 0.5:
            return good(CHECK, f"One of {seconds:g} s got its time.")
        if seen.body == b"[]":
            return _cut(seen.seconds, "an answer without events came", seconds)
    return unseen(CHECK, f"Events came to {stream} meanwhile, as they should.", "Name a stream that is quieter.")


def _refused(status: int, detail: str, seen: Seen, seconds: float) -> Finding:
    if status == 429:
        return unseen(CHECK, detail, "Others wait with this key: try again when there are fewer.")
    if status in (408, 503, 504):
        return _cut(seen.seconds, f"the server answered {status}: {detail}", seconds)
    return wrong(CHECK, f"Refused with {status}: {detail}", "docs/problems.md says what the code means.")


def _cut(after: float, how: str, seconds: float) -> Finding:
    return wrong(CHECK, f"Of {seconds:g} s asked for, it ended after {after:.1f} s: {how}.", _longer(seconds))


def _longer(seconds: float) -> str:
    return (
        f"Give whatever is in between more patience than {max(seconds, 30):g} s: nginx `proxy_read_timeout 75s`, "
        "others call it idle or response time-out (docs/operations.md, Install). Until then let consumers wait less."
    )
