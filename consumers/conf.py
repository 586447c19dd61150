"""The numbers of consumer groups. Durations are seconds."""

from typing import Final

DEFAULT_ACK_WAIT_SECONDS: Final = 30
MAX_ACK_WAIT_SECONDS: Final = 12 * 3600
DEFAULT_MAX_FAILURES: Final = 5
MAX_MAX_FAILURES: Final = 100
DEFAULT_MAX_DELIVERIES: Final = 20
MAX_MAX_DELIVERIES: Final = 1_000
DEFAULT_BACKOFF_SECONDS: Final = (5, 30, 120, 600, 1800)
MAX_BACKOFF_ENTRIES: Final = 20
MAX_BACKOFF_SECONDS: Final = 7 * 86400
BACKOFF_JITTER: Final = 0.2
DEFAULT_MAX_IN_FLIGHT: Final = 10_000
MAX_MAX_IN_FLIGHT: Final = 1_000_000

# Types that one group's filter names, at most.
MAX_FILTER_TYPES: Final = 100

# "Last seen" is written at most this often for each member.
MEMBER_SEEN_INTERVAL_SECONDS: Final = 5.0
# Many consumers take a new name whenever they start: one that was not seen for so long is forgotten.
MEMBER_SECONDS: Final = 14 * 86400

# --- lease mode ---
# A group that was paused or changed is seen so by every process within a second.
GROUP_CACHE_SECONDS: Final = 0.9
GROUP_CACHE_SIZE: Final = 10_000
DEFAULT_LEASE_EVENTS: Final = 100
MAX_LEASE_EVENTS: Final = 1_000
# One answer carries at most this; what does not fit is given back at once, not counted as delivered.
MAX_LEASE_BYTES: Final = 8 * 1024 * 1024
# Deliveries in one answer, and in one request to ack, nack, extend or release.
MAX_LEASE_DELIVERIES: Final = 100
MAX_OUTCOME_DELIVERIES: Final = 1_000
# Events that one look of a lease sorts, at most, where they must be looked at before they are handed out; if it finds
# none to hand out, it looks so many times before it answers or waits.
MAX_SORTED_AT_ONCE: Final = 2_000
# Where only those matter that are for later or expire, the first look reads what it has room for, but at least so many:
# some of them may be for later.
MIN_SORTED_AT_ONCE: Final = 200
SORTING_LOOKS: Final = 5
# Deliveries under suspicion that each lease counts; a group rarely has any.
COUNTED_SUSPECTS: Final = 1_000
# Deliveries that are for later, of which a group may have a million: so many are counted, for pages and metrics.
MAX_COUNTED_SCHEDULED: Final = 10_000
MAX_CONSUMER_CHARACTERS: Final = 128
MAX_ERROR_CHARACTERS: Final = 2_000
MAX_NOTE_CHARACTERS: Final = 1_000
# Why an event was erased; the audit trail has room for it in full.
MAX_REASON_CHARACTERS: Final = 500
# How long a lease that ended is remembered, so that the same request again is answered as the first was.
ENDED_LEASE_SECONDS: Final = 3600
# A waiting lease looks again at least this often: a hint from another process may be lost.
LEASE_RECHECK_SECONDS: Final = 1.0
# While nothing is in flight or waiting, besides an event only a seek, a redrive or a resume can bring something.
LEASE_IDLE_RECHECK_SECONDS: Final = 5.0

# --- the reconciler and the lease path's own share of its work ---
RECONCILE_STEP_DELIVERIES: Final = 100
RECONCILE_STEP_BYTES: Final = 8 * 1024 * 1024
RECONCILE_MAX_SECONDS: Final = 10.0
# History is for asking "what happened to this event?"; dead letters keep their own copy of it.
HISTORY_SECONDS: Final = 14 * 86400
PURGE_STEP_ROWS: Final = 10_000
# For so long in each tick, of either: acks leave rows as fast as they come.
PURGE_TICK_SECONDS: Final = 2.0

# --- bulk redrive and discard ---
BULK_INLINE_DEAD_LETTERS: Final = 200
BULK_STEP_DEAD_LETTERS: Final = 200
# Where a text is looked for, a step looks at so many at most; what has it may be rare.
BULK_STEP_LOOKED_AT: Final = 2_000
# A step a second: without a rate, too, no more go.
MAX_BULK_PER_SECOND: Final = BULK_STEP_DEAD_LETTERS
# One look for a text goes through so many; what is counted on a page is counted up to there.
SEARCH_DEAD_LETTERS: Final = 10_000
MAX_SEARCH_CHARACTERS: Final = 200
# Named one by one in a request or on an admin page; more are named by a filter.
MAX_BULK_IDS: Final = 1_000

# Requests that wait at once in one process: each costs some memory and an open connection.
MAX_WAITING_REQUESTS: Final = 10_000
# Woken with more than can ask the database at once, a request comes again after between so long and so long.
CROWD_PAUSE_SECONDS: Final = (0.1, 0.5)

# --- live streams ---
# A comment is sent after so long without an event, so that nobody on the way takes the connection for dead.
HEARTBEAT_SECONDS: Final = 15.0
# One write carries at most this, but a whole event.
LIVE_WRITE_EVENTS: Final = 1_000
LIVE_WRITE_BYTES: Final = 256 * 1024
# When to come again after a connection that broke: not all at once.
LIVE_RETRY_MILLISECONDS: Final = (1_000, 3_000)
# While the database is away, it is asked again so often.
LIVE_DATABASE_PAUSE_SECONDS: Final = 1.0

# How often what waiting requests stand on is looked at. With what look-ups are remembered, it makes less than a second.
STANDING_RECHECK_SECONDS: Final = 0.4

# --- what is unfinished in other engines ---
# At so many groups' partitions a tick looks, each of which may cost a fetch; the rest has its turn after.
MAX_UNFINISHED_LOOKED_AT: Final = 500
# What was seen longer ago, of a group that has come further since, says nothing any more.
UNFINISHED_SEEN_SECONDS: Final = 600.0
