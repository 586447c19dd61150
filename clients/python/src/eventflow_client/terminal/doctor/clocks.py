"""Does this machine's clock agree with the server's?"""

from email.utils import parsedate_to_datetime
from typing import Final

from .asking import Seen
from .findings import Finding, good, odd, unseen

# The header has whole seconds, and an answer may have waited on its way.
_TOLERATED_SECONDS: Final = 5.0


def look_at_clock(seen: Seen) -> Finding:
    """Compare the answer's `Date` with the time in which it was written, as this machine saw it."""
    try:
        told = parsedate_to_datetime(seen.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return unseen("clock", "The answer has no usable Date.", "Something on the way takes it out.")
    # It was written at some time of that second, and of those between question and answer.
    least, most = told - seen.answered_at, told + 1 - seen.asked_at
    if least <= 0 <= most:
        return good("clock", "It agrees with the server's.")
    ahead = -most if most < 0 else -least
    if abs(ahead) <= _TOLERATED_SECONDS:
        return good(
            "clock", f"{abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} the server's, which is little."
        )
    return odd(
        "clock",
        f"At least {abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'} the server's.",
        "Events keep their order all the same, which is the server's. Times that you give (`occurred_at`, "
        "`deliver_after`, ends of keys, `seek` to a time) are off by as much: let NTP set the clock that is wrong.",
    )
