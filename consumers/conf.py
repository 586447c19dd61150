"""The numbers of consumer groups. Durations are seconds."""

from typing import Final

DEFAULT_ACK_WAIT_SECONDS: Final = 30
MAX_ACK_WAIT_SECONDS: Final = 12 * 3600
DEFAULT_MAX_FAILURES: Final = 5
MAX_MAX_FAILURES: Final = 100
DELIVERY_CAP: Final = 20
DEFAULT_BACKOFF_SECONDS: Final = (5, 30, 120, 600, 1800)
MAX_BACKOFF_ENTRIES: Final = 20
MAX_BACKOFF_SECONDS: Final = 7 * 86400
BACKOFF_JITTER: Final = 0.2
DEFAULT_MAX_IN_FLIGHT: Final = 10_000
MAX_MAX_IN_FLIGHT: Final = 1_000_000

# "Last seen" is written at most this often for each member.
MEMBER_SEEN_INTERVAL_SECONDS: Final = 5.0

# Requests that wait at once in one process, of its 600 threads: the rest stays free for appends.
MAX_WAITING_REQUESTS: Final = 550
