"""The numbers of the log and of ingest. Sizes are bytes, durations seconds."""

from typing import Final

MAX_PARTITIONS: Final = 256
MAX_DESCRIPTION_CHARACTERS: Final = 1000
# A hundred years: what is longer is meant for ever, and longer than times reach.
MAX_RETENTION_AGE_SECONDS: Final = 100 * 366 * 86400

# --- engines of the log ---
# What the one on the installation's own PostgreSQL is called.
POSTGRES: Final = "postgres"
MAX_ALIAS_CHARACTERS: Final = 32
MAX_TOPIC_CHARACTERS: Final = 249
# Of the words that say why a place is in quarantine; and those of a place that is not.
MAX_QUARANTINE_CHARACTERS: Final = 500
NOT_IN_QUARANTINE: Final = ""
# So many topics of an engine are looked at in one tick; of more they take turns.
LOOKED_AT_TOPICS: Final = 200
# Somebody has to come and look: until then there is no hurry to ask again.
QUARANTINE_RETRY_SECONDS: Final = 30
# After so many failures one after the other an engine is left alone for a moment.
BREAKER_FAILURES: Final = 3
BREAKER_SECONDS: Final = 1.0
ENGINE_HEALTH_SECONDS: Final = 1.0
# What was seen of an engine's topics longer ago is not told any more.
ENGINE_SIGHTING_LATE_SECONDS: Final = 60
# Of each event loop, for reads of each engine: those that wait for it hold up nobody else.
ENGINE_THREADS: Final = 8
# How often what was appended to other engines is added to the counters of their partitions.
SIGHTINGS_INTERVAL_SECONDS: Final = 1.0
# A place that was made for a stream which did not come is dropped after this time.
UNUSED_PLACE_SECONDS: Final = 600
# The place of a stream that was deleted is dropped after this time; until then somebody may remember it, and append.
LEFT_PLACE_SECONDS: Final = 30
# ... but not for longer than this: so long a stream that takes over the name is not shown.
NAME_REMEMBERED_SECONDS: Final = 2.0
# A request whose receipt is kept beside the engine is over after this time, however it ended: another one may go on.
PENDING_SECONDS: Final = 10.0
# ... so its events are sent within this time or not at all: an engine takes up to eight seconds more.
SEND_WITHIN_SECONDS: Final = 1.5

# --- mirrors: copies of streams in topics ---
MAX_MIRRORS: Final = 5
# What a worker takes of a stream before it waits for it to be stored: so many partitions, and of each so much.
MIRROR_STEP_PARTITIONS: Final = 8
MIRROR_STEP_EVENTS: Final = 500
MIRROR_STEP_BYTES: Final = 512 * 1024
# How long a mirror is a worker's without a word from it. Longer than what it has sent may be under way.
MIRROR_LEASE_SECONDS: Final = 20.0
# With less than this left it is asked for again.
MIRROR_RENEW_SECONDS: Final = 13.0
# Beyond the time that something sent may be under way.
MIRROR_MARGIN_SECONDS: Final = 2.0
# How soon a worker notices that a mirror was paused or deleted, or its stream changed; and looks for events unasked.
MIRROR_GLANCE_SECONDS: Final = 1.0
# The waits between tries while it fails: the first one, doubled each time, and the longest.
MIRROR_BACKOFF_SECONDS: Final = 0.5
MIRROR_MAX_BACKOFF_SECONDS: Final = 10.0
# How often the position is told to the engine's own tools.
MIRROR_SHOW_SECONDS: Final = 1.0
# Of one process.
MAX_RUNNING_MIRRORS: Final = 32
# How long a worker that ends waits for what its mirrors have under way.
MIRROR_STOP_SECONDS: Final = 6.0
MAX_REASON_CHARACTERS: Final = 500


# --- moving a stream to another engine ---
# Between the proof that a place takes nothing more and the look where it ends. An append that takes longer than this
# looks whether it was stored behind that end.
FENCE_SETTLE_SECONDS: Final = 0.25
# How long an append that meets a fence waits for the place behind it, and how often it looks.
FENCE_PATIENCE_SECONDS: Final = 5.0
FENCE_LOOK_SECONDS: Final = 0.02
# Whoever carries out a move says so for this long, again and again; after that another one may go on.
MOVE_LEASE_SECONDS: Final = 8.0
# How long a move waits that an engine stood in the way of.
MOVE_RETRY_SECONDS: Final = 15.0
# For so long after a move was ended by hand its old place is opened again and again.
ABORTED_MOVE_SECONDS: Final = 60.0
# What retention has emptied is dropped later than anybody can remember it.
EMPTY_PLACE_SECONDS: Final = 60
# Whoever reads at the end of a stretch elsewhere asks so often whether another one follows.
EPOCH_MEMORY_SECONDS: Final = 0.9

# --- what a producer may send (API.md's limits) ---
MAX_EVENT_BYTES: Final = 1_000_000
MAX_REQUEST_EVENTS: Final = 1_000
MAX_REQUEST_BYTES: Final = 8 * 1024 * 1024
MAX_KEY_BYTES: Final = 512
MAX_ID_CHARACTERS: Final = 128
MAX_TYPE_CHARACTERS: Final = 128
MAX_HEADERS: Final = 32
MAX_HEADER_BYTES: Final = 1024
MAX_JSON_DEPTH: Final = 64
# How far ahead an event may be for later, and how long it may take to expire; neither is shorter than the first.
MIN_SPAN_SECONDS: Final = 0.001
MAX_DELAY_SECONDS: Final = 30 * 86_400
MAX_LIFETIME_SECONDS: Final = 365 * 86_400

# --- stored batches: small enough that a small read does not pay for large neighbours ---
MAX_BATCH_BYTES: Final = 256 * 1024
MAX_BATCH_EVENTS: Final = 1_000
ZSTD_LEVEL: Final = 1
BATCH_CACHE_BYTES: Final = 64 * 1024 * 1024

# --- ids that are not stored twice ---
MAX_DEDUPLICATION_SECONDS: Final = 7 * 86_400
# --- merging small batches ---
# Younger ones are left alone: their readers still have them in memory, and they are still coming.
MERGE_AFTER_SECONDS: Final = 10
# A batch that is so large, of what is allowed, stays as it is: merging it would save next to nothing.
MERGE_FULL_ENOUGH: Final = 1 / 4
# The last row is filled up when so many batches have come behind it, and not for each of them anew.
MERGE_OPEN_BATCHES: Final = 64
# Batches that one step looks at, and those that it makes of them.
MERGE_STEP_BATCHES: Final = 2_000
MERGE_STEP_MERGED: Final = 10
# A merged batch goes when its newest event may. So it spans no more than this share of how long events are kept, ...
MERGE_SPAN_SHARE: Final = 1 / 24
# ... and no more than this, so that a limit by age that is set later is kept to as well.
MERGE_MAX_SPAN_SECONDS: Final = 86_400
# ... nor holds more than this share of the events or bytes that are kept.
MERGE_SIZE_SHARE: Final = 1 / 20
# What retention takes within this time is not merged before.
MERGE_NOT_WORTH_SECONDS: Final = 600
# What one tick may take, of the ten seconds between ticks: the rest of the processor belongs to the requests.
MERGE_TICK_SECONDS: Final = 2.5

# --- reading ---
DEFAULT_READ_EVENTS: Final = 100
MAX_READ_EVENTS: Final = 1_000
DEFAULT_READ_BYTES: Final = 1024 * 1024
MAX_READ_BYTES: Final = 8 * 1024 * 1024
MAX_WAIT_SECONDS: Final = 30
MAX_OFFSET: Final = 2**63 - 1

# --- group commit ---
# How long a request waits for its commit before the outcome is reported as unknown.
COMMIT_TIMEOUT_SECONDS: Final = 10.0
MAX_COMMIT_BYTES: Final = 16 * 1024 * 1024

# --- waking readers ---
# At most one notification in this time: more would only wake the same readers again.
NOTIFY_INTERVAL_SECONDS: Final = 0.002
# A lost hint costs at most this.
HEAD_CHECK_INTERVAL_SECONDS: Final = 1.0

# --- caches ---
STREAM_CACHE_SECONDS: Final = 0.9
STREAM_CACHE_SIZE: Final = 10_000

# Of somebody's keys and streams, where several people are listed with theirs.
MAX_LISTED: Final = 100

# --- schemas ---
MAX_SCHEMA_BYTES: Final = 64 * 1024
MAX_SCHEMA_DEPTH: Final = 32
# Of all types of a stream together.
MAX_SCHEMAS: Final = 1_000
# What a schema may look at for one value of a payload: keywords, each as often as it is come to.
MAX_SCHEMA_WEIGHT: Final = 2_000
# Patterns and formats that may look at one text.
MAX_SCHEMA_PATTERNS: Final = 32
# The compiled size of a pattern, in bytes: a text is gone through in time that grows with it.
MAX_PATTERN_BYTES: Final = 64 * 1024
# What may be looked at for one payload. A unit takes some 30 ns: an event holds nobody up for longer than a tenth
# of a second.
MAX_VALIDATION_WORK: Final = 4_000_000
# Of the stored events that a schema is tried on, or inferred from.
MAX_CHECKED_EVENTS: Final = 1_000
MAX_CHECKED_BYTES: Final = 16 * 1024 * 1024
