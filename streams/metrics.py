"""What is counted where it happens: appends, reads, waiting polls, rejections.

These stand on the hot path: each is one or two additions in a file that is mapped into memory (about 2 µs),
shared with the process that answers /metrics. What a stream holds is not counted here but read from its
partitions' counters when somebody asks.
"""

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

# When a counter was made says nothing here, and would double what a scrape carries.
disable_created_metrics()  # type: ignore[no-untyped-call]

# Seconds; an append on a healthy disk takes milliseconds, and nothing waits longer than 10 s for a commit.
LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

_append_seconds = Histogram(
    "eventflow_append_seconds",
    "Time from the first look at an append request to its answer, of those that were stored.",
    buckets=LATENCY_BUCKETS,
)
_appended_events = Counter("eventflow_appended_events", "Events stored by the web workers.")
_duplicate_events = Counter(
    "eventflow_duplicate_events", "Events that were not stored again, as their stream has had their ids."
)
_read_seconds = Histogram(
    "eventflow_read_seconds",
    "Time that a poll took, without what it spent waiting for events.",
    buckets=LATENCY_BUCKETS,
)
_read_events = Counter("eventflow_read_events", "Events handed to readers.")
_read_bytes = Counter("eventflow_read_bytes", "JSON of the events handed to readers.")
_gaps = Counter("eventflow_read_gap_events", "Events that a reader asked for and retention had taken.")
_rejections = Counter("eventflow_rejections", "Requests answered with a problem, by its code.", ["reason"])
_invalid_payloads = Counter(
    "eventflow_invalid_payloads",
    "Events whose payload was not as its schema says, by what became of them: refused, or marked and stored.",
    ["outcome"],
)
_deleted = Counter("eventflow_retention_deleted_events", "Events that retention deleted.")
_merged_batches = Counter("eventflow_merged_batches", "Small stored batches that became part of larger ones.")
_unreadable_batches = Counter(
    "eventflow_merge_unreadable_batches", "Damaged batches that merging met, once each, and left as they are."
)
_waiting_polls = Gauge(
    "eventflow_waiting_polls", "Polls that wait for events at this moment.", multiprocess_mode="livesum"
)
_live_streams = Gauge(
    "eventflow_live_streams", "Live streams that are open at this moment.", multiprocess_mode="livesum"
)
_dropped_readers = Counter(
    "eventflow_live_streams_dropped", "Live streams and downloads that were cut since their reader took too little."
)

# Finding a label's child anew costs as much as counting.
_rejections_by_reason: dict[str, Counter] = {}


def count_append(*, events: int, seconds: float) -> None:
    """Count a stored append: how many events, and how long the request took."""
    _appended_events.inc(events)
    _append_seconds.observe(seconds)


def count_duplicates(events: int) -> None:
    """Count events that were answered with where they were stored before."""
    _duplicate_events.inc(events)


def count_read(*, events: int, size: int, seconds: float) -> None:
    """Count an answered poll. `seconds` leaves out what it spent waiting for events."""
    if events:
        _read_events.inc(events)
        _read_bytes.inc(size)
    _read_seconds.observe(seconds)


def count_gap(events: int) -> None:
    """Count events that a reader was told it will never get."""
    _gaps.inc(events)


def count_rejection(reason: str) -> None:
    """Count a problem by its `code`: a closed set, since every code stands in our own source."""
    counter = _rejections_by_reason.get(reason)
    if counter is None:
        counter = _rejections_by_reason.setdefault(reason, _rejections.labels(reason))
    counter.inc()


def count_invalid_payloads(outcome: str, events: int) -> None:
    """Count events whose payload was not as its schema says: `refused` ones, or `marked` ones."""
    _invalid_payloads.labels(outcome).inc(events)


def count_deleted(events: int) -> None:
    """Count events that retention deleted."""
    _deleted.inc(events)


def count_merged(*, batches: int, unreadable: int) -> None:
    """Count small batches that became part of larger ones, and damaged ones that were met."""
    _merged_batches.inc(batches)
    _unreadable_batches.inc(unreadable)


def count_live(change: int) -> None:
    """Count a live stream that is opened (1) or has ended (-1)."""
    _live_streams.inc(change)


def count_dropped_reader() -> None:
    """Count a live stream or a download whose reader took too little for too long."""
    _dropped_readers.inc()


def count_live_events(*, events: int, size: int) -> None:
    """Count events that were handed to the reader of a live stream."""
    _read_events.inc(events)
    _read_bytes.inc(size)


def count_waiting(change: int) -> None:
    """Count a poll that begins (1) or ends (-1) to wait."""
    _waiting_polls.inc(change)
