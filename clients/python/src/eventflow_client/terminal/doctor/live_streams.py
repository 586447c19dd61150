"""Does what the server writes to a live stream come through at once?"""

import time
from typing import Final

import httpx

from ...outcomes import read_problem
from ...paths import of_stream
from .findings import Finding, good, unseen, wrong

CHECK: Final = "live streams"
_UNBUFFER: Final = (
    "Something in between gathers answers before it passes them on. nginx: `proxy_buffering off`, and no "
    "`gzip` for text/event-stream; others have the like (docs/operations.md, Install)."
)


def look_at_live_stream(client: httpx.Client, url: str, stream: str, *, seconds: float) -> Finding:
    """Open one, and see whether its first bytes come in `seconds`: the server writes them at once."""
    began = time.monotonic()
    address = f"{url}/api/v1{of_stream(stream)}/events/live"
    headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
    timeout = httpx.Timeout(seconds, connect=5.0)
    try:
        with client.stream("GET", address, headers=headers, timeout=timeout) as response:
            if response.status_code != 200:
                told = {name.lower(): value for name, value in response.headers.items()}
                return _refused(response.status_code, told, response.read())
            kind = response.headers.get("content-type", "")
            if not kind.startswith("text/event-stream"):
                return wrong(CHECK, f"What answers is {kind or 'of no type'}, not a live stream.", _UNBUFFER)
            first = next(response.iter_raw(), b"")
    except httpx.ReadTimeout:
        return wrong(CHECK, f"The first byte had not come after {seconds:g} s.", _UNBUFFER)
    except httpx.HTTPError as error:
        return wrong(
            CHECK,
            f"The connection broke: {str(error) or type(error).__name__}.",
            "Something in between ends what lasts: let it keep connections on which a comment comes every 15 s.",
        )
    if not first:
        return wrong(CHECK, "It ended before it began.", _UNBUFFER)
    return good(CHECK, f"The first byte came after {(time.monotonic() - began) * 1000:,.0f} ms.")


def _refused(status: int, headers: dict[str, str], body: bytes) -> Finding:
    problem = read_problem(status, headers, body)
    if status == 429:
        return unseen(CHECK, problem.detail, "Others wait with this key: try again when there are fewer.")
    return wrong(CHECK, f"Refused with {status}: {problem.detail}", "docs/problems.md says what the code means.")
