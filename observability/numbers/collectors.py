"""Metrics that are computed when Prometheus asks: from counters and roll-ups, in a constant number of queries."""

import logging
import time
from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import DatabaseError
from psycopg.errors import LockNotAvailable, QueryCanceled
from psycopg_pool import PoolTimeout

from consumers.models import ConsumerGroup
from observability.conf import MAX_LABELLED_GROUPS, MAX_LABELLED_STREAMS, RETRY_DATABASE_SECONDS, SCRAPE_TIMEOUT_SECONDS
from observability.models import Heartbeat
from observability.numbers.background import count_overdue_streams
from observability.numbers.holdings import Holding, load_holdings
from observability.numbers.mirrors import list_mirror_standings, mirror_families
from observability.numbers.outlook import GroupNumbers, list_group_numbers
from observability.numbers.snapshot import one_snapshot
from observability.numbers.statements import run
from observability.telemetry.disk import DiskStanding, find_disk_standing
from observability.telemetry.exposition import Family
from streams.log import engine_healths, get_log
from streams.log.protocol import LogHealth
from streams.models import EngineSighting
from streams.queries import count_events_to_merge
from streams.services.engine_watch import list_engine_sightings
from streams.services.quarantine import Quarantined, list_quarantined

logger = logging.getLogger(__name__)

# An outage, or a lock, makes each scrape wait: once is enough for a while.
_failed_at = float("-inf")
_database_is_up = True
# What PostgreSQL itself says of a statement that took too long, waiting for a lock say.
_TOOK_TOO_LONG = (QueryCanceled, LockNotAvailable)


def collect_computed(*, now: datetime) -> list[Family]:
    """Return all that can be said at this moment. With the database down that is little, and it is said soon."""
    global _failed_at, _database_is_up  # noqa: PLW0603 - one memory for each process is the point
    up = Family("eventflow_database_up", "gauge", "Whether PostgreSQL answers: 1 or 0.")
    complete = Family(
        "eventflow_scrape_complete",
        "gauge",
        "Whether all that is computed is on this page: 1, or 0 if it took too long.",
    )
    families: list[Family] = []
    if time.monotonic() - _failed_at > RETRY_DATABASE_SECONDS:
        try:
            families = _collect_from_database(now)
        except (DatabaseError, PoolTimeout) as error:
            _failed_at = time.monotonic()
            _database_is_up = isinstance(error.__cause__, _TOOK_TOO_LONG)
            logger.warning("metrics without the database: %s", type(error.__cause__ or error).__name__)
        else:
            _database_is_up = True
    up.add(int(_database_is_up))
    complete.add(int(bool(families)))
    return [up, complete, *families]


def _collect_from_database(now: datetime) -> list[Family]:
    with one_snapshot():
        run("limit_statement_time", timeout=f"{SCRAPE_TIMEOUT_SECONDS}s")
        holdings = load_holdings(stream_ids=None, now=now)
        mirrors = list_mirror_standings(holdings, now=now)
        groups = list_group_numbers(ConsumerGroup.objects.order_by("stream__name", "name"), holdings, now=now)
        heartbeats = list(Heartbeat.objects.values_list("name", "ticked_at"))
        disk = find_disk_standing(now=now)
        ((remembered_ids_bytes,),) = run("remembered_ids_size")
        background = background_families(
            not_merged=count_events_to_merge(), overdue_streams=count_overdue_streams(now=now)
        )
    # Out of the snapshot: no engine is asked inside a transaction.
    is_durable = get_log().health().is_durable
    return [
        *engine_families(engine_healths(), list_quarantined(), list_engine_sightings(now=now)),
        *database_families(is_durable=is_durable, heartbeats=heartbeats),
        *disk_families(disk, remembered_ids_bytes=remembered_ids_bytes),
        *background,
        *stream_families(list(holdings.values())),
        *group_families(groups),
        *mirror_families(mirrors),
    ]


def database_families(*, is_durable: bool, heartbeats: Sequence[tuple[str, datetime]]) -> list[Family]:
    """Whether the database keeps the promise, and when the timers last reached it."""
    durable = Family(
        "eventflow_database_durable", "gauge", "Whether what is answered 202 survives a power cut: 1 or 0."
    )
    durable.add(int(is_durable))
    ticks = Family("eventflow_heartbeat_timestamp_seconds", "gauge", "When a periodic tick last came all the way.")
    for name, ticked_at in heartbeats:
        ticks.add(ticked_at.timestamp(), f'{{name="{name}"}}')
    return [durable, ticks]


def engine_families(
    healths: Mapping[str, LogHealth], quarantined: Sequence[Quarantined], sightings: Sequence[EngineSighting]
) -> list[Family]:
    """Whether the engines beside the database answer; nothing where there are none."""
    up = Family("eventflow_engine_up", "gauge", "Whether an engine of the log beside PostgreSQL takes appends: 1 or 0.")
    durable = Family(
        "eventflow_engine_durable",
        "gauge",
        "Whether what such an engine confirms outlives any one of its brokers, as far as it can be asked: 1 or 0.",
    )
    kept_out = Family(
        "eventflow_engine_quarantined_streams",
        "gauge",
        "Streams whose topic there is not what it was, and is left alone.",
    )
    for alias, health in healths.items():
        up.add(int(health.is_writable), f'{{engine="{alias}"}}')
        durable.add(int(health.is_durable), f'{{engine="{alias}"}}')
        kept_out.add(sum(each.engine == alias for each in quarantined), f'{{engine="{alias}"}}')
    under = Family(
        "eventflow_engine_under_replicated_partitions",
        "gauge",
        "Partitions with fewer replicas in sync than they should have; absent while nobody has looked.",
    )
    below = Family(
        "eventflow_engine_below_minimum_partitions",
        "gauge",
        "Partitions with fewer replicas in sync than have to store an append: none is answered there.",
    )
    leaderless = Family("eventflow_engine_leaderless_partitions", "gauge", "Partitions that no broker leads.")
    for each in sightings:
        labels = f'{{engine="{each.engine}"}}'
        under.add(each.under_replicated, labels)
        below.add(each.below_minimum, labels)
        leaderless.add(each.leaderless, labels)
    return [up, durable, kept_out, under, below, leaderless] if healths else []


def disk_families(disk: DiskStanding | None, *, remembered_ids_bytes: int) -> list[Family]:
    """How full the disk is that the log is on, where somebody knows, and what of it is for ids that are stored once."""
    ids = Family("eventflow_remembered_ids_bytes", "gauge", "What the ids that are stored once take on the disk.")
    ids.add(remembered_ids_bytes)
    used = Family("eventflow_disk_used_bytes", "gauge", "What is used of the disk that the log is on.")
    capacity = Family(
        "eventflow_disk_capacity_bytes", "gauge", "What that disk holds; absent when nobody said which it is."
    )
    full = Family(
        "eventflow_disk_full_seconds",
        "gauge",
        "Until that disk is full, at the rate of the last day; absent when that is not in sight.",
    )
    if disk is not None:
        used.add(disk.used_bytes)
        capacity.add(disk.capacity_bytes)
        if disk.full_seconds is not None:
            full.add(disk.full_seconds)
    return [used, capacity, full, ids]


def background_families(*, not_merged: int, overdue_streams: int) -> list[Family]:
    """What merging and retention have not come to."""
    behind = Family(
        "eventflow_merge_behind_events", "gauge", "Events that came since merging looked at their partitions."
    )
    behind.add(not_merged)
    overdue = Family(
        "eventflow_retention_overdue_streams", "gauge", "Streams that keep more than their retention says."
    )
    overdue.add(overdue_streams)
    return [behind, overdue]


def stream_families(streams: Sequence[Holding]) -> list[Family]:
    """What each stream holds and gained, its partitions together."""
    appended = Family("eventflow_stream_appended_events_total", "counter", "Events ever appended to the stream.")
    size = Family("eventflow_stream_appended_bytes_total", "counter", "JSON of the events ever appended, uncompressed.")
    head = Family("eventflow_stream_head_offset", "gauge", "Head offset; of several partitions the sum.")
    kept = Family("eventflow_stream_events", "gauge", "Events that the stream keeps.")
    stored = Family("eventflow_stream_stored_bytes", "gauge", "Size of the kept events as stored, compressed.")
    newest = Family("eventflow_stream_last_event_timestamp_seconds", "gauge", "When the newest event was recorded.")
    total = Family("eventflow_streams", "gauge", "Streams that exist.")
    behind = Family("eventflow_rollup_behind_events", "gauge", "Events of all streams that are not rolled up yet.")
    left_out = Family(
        "eventflow_streams_without_metrics", "gauge", "Streams beyond those that get metrics of their own."
    )
    chosen = _fullest(streams)
    for stream in chosen:
        totals, labels = stream.totals, f'{{stream="{stream.totals.name}"}}'
        appended.add(totals.head_offset, labels)
        head.add(totals.head_offset, labels)
        size.add(stream.appended_bytes, labels)
        kept.add(totals.event_count, labels)
        stored.add(stream.stored_bytes, labels)
        if totals.last_event_at:
            newest.add(totals.last_event_at.timestamp(), labels)
    total.add(len(streams))
    behind.add(sum(stream.not_rolled_up for stream in streams))
    left_out.add(len(streams) - len(chosen))
    return [total, appended, size, head, kept, stored, newest, behind, left_out]


def group_families(groups: Sequence[GroupNumbers]) -> list[Family]:
    """How each group stands on its stream."""
    committed = Family("eventflow_group_committed_offset", "gauge", "Committed offset; of several partitions the sum.")
    lag = Family("eventflow_group_lag_events", "gauge", "Events that are still there and not finished.")
    age = Family(
        "eventflow_group_lag_seconds",
        "gauge",
        "Age of the first unfinished event, from its time if it was for later; 0 when there is none.",
    )
    in_flight = Family("eventflow_group_in_flight_events", "gauge", "Events that members hold leases on.")
    waiting = Family("eventflow_group_waiting_events", "gauge", "Events given back or expired, to be leased again.")
    suspected = Family(
        "eventflow_group_suspected_events",
        "gauge",
        "Events that a consumer may have died of, handed out in small pieces until they are acked.",
    )
    held_up = Family("eventflow_group_held_up_events", "gauge", "Events that another one of their key holds up.")
    scheduled = Family(
        "eventflow_group_scheduled_events", "gauge", "Events that are for later; of very many, the first."
    )
    dead = Family("eventflow_group_dead_letters_open", "gauge", "Dead letters that nobody has dealt with.")
    missing = Family(
        "eventflow_group_missing_events",
        "gauge",
        "Events that retention took before the group came by, not passed yet.",
    )
    lost = Family(
        "eventflow_group_unacknowledged_lost_events",
        "gauge",
        "Events that retention took before the group had finished them, since somebody acknowledged it.",
    )
    lost_total = Family(
        "eventflow_group_lost_events_total",
        "counter",
        "Events that retention took before the group had finished them.",
    )
    filtered = Family(
        "eventflow_group_filtered_events_total",
        "counter",
        "Events that the group's filter did not let through.",
    )
    expired = Family(
        "eventflow_group_expired_events_total",
        "counter",
        "Events that expired before they were handed out, or again.",
    )
    risk = Family(
        "eventflow_group_retention_risk_seconds",
        "gauge",
        "Until retention takes an unfinished event, at the present rate; absent when it will not.",
    )
    catch_up = Family(
        "eventflow_group_catch_up_seconds",
        "gauge",
        "Until nothing is unfinished, at the rates of the last minutes; absent when the group does not gain.",
    )
    seen = Family("eventflow_group_last_seen_timestamp_seconds", "gauge", "When a member last read as the group.")
    total = Family("eventflow_groups", "gauge", "Consumer groups that exist.")
    left_out = Family("eventflow_groups_without_metrics", "gauge", "Groups beyond those that get metrics of their own.")
    chosen = groups
    if len(groups) > MAX_LABELLED_GROUPS:
        chosen = sorted(groups, key=lambda each: (-each.standing.dead_letters, -each.standing.lost, -each.standing.lag))
        chosen = chosen[:MAX_LABELLED_GROUPS]
    for group, outlook in chosen:
        labels = f'{{stream="{group.stream}",group="{group.name}"}}'
        committed.add(group.committed_offset, labels)
        lag.add(group.lag, labels)
        age.add(group.lag_seconds or 0, labels)
        in_flight.add(group.in_flight, labels)
        waiting.add(group.waiting, labels)
        suspected.add(group.suspected, labels)
        held_up.add(group.held_up, labels)
        scheduled.add(group.scheduled, labels)
        dead.add(group.dead_letters, labels)
        missing.add(group.missing, labels)
        lost.add(group.lost, labels)
        lost_total.add(group.lost_total, labels)
        filtered.add(group.filtered_total, labels)
        expired.add(group.expired_total, labels)
        if outlook.retention_risk_seconds is not None:
            risk.add(outlook.retention_risk_seconds, labels)
        if outlook.catch_up_seconds is not None:
            catch_up.add(outlook.catch_up_seconds, labels)
        if group.last_seen_at is not None:
            seen.add(group.last_seen_at.timestamp(), labels)
    total.add(len(groups))
    left_out.add(len(groups) - len(chosen))
    return [
        total,
        committed,
        lag,
        age,
        in_flight,
        waiting,
        suspected,
        held_up,
        scheduled,
        dead,
        missing,
        lost,
        lost_total,
        filtered,
        expired,
        risk,
        catch_up,
        seen,
        left_out,
    ]


def _fullest(streams: Sequence[Holding]) -> Sequence[Holding]:
    """All of them, or if they are too many those that hold most."""
    if len(streams) <= MAX_LABELLED_STREAMS:
        return streams
    return sorted(streams, key=lambda stream: -stream.stored_bytes)[:MAX_LABELLED_STREAMS]
