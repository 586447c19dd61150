"""What a read costs, what the cache keeps, and that damage is noticed."""

from datetime import UTC, datetime

import pytest
from django.db import connection

from streams.log.cache import BatchCache, CachedBatch, splice
from streams.log.protocol import LogDamaged, PartitionAppend
from streams.log.statements import statements
from streams.models import Partition
from tests.streams.log.appending import event, read_all


def append(log, partition, *names, size=0):
    log.append([PartitionAppend(partition, [event(str(name), size) for name in names])])


def read(log, partition, after=0, max_events=1_000, max_bytes=8 << 20):
    return log.read(partition, after=after, max_events=max_events, max_bytes=max_bytes)


def batch(last_offset, count, size=100, mark=0):
    return CachedBatch(last_offset=last_offset, events=(b"x" * size,) * count, mark=mark)


# --- queries ---------------------------------------------------------------------------------------------


def test_a_read_is_one_query_cached_or_not(partition, make_log, django_assert_num_queries):
    log = make_log()
    for start in range(0, 2_000, 500):
        append(log, partition, *range(start, start + 500))
    connection.ensure_connection()
    with django_assert_num_queries(1):
        assert len(read(log, partition).events) == 1_000
    with django_assert_num_queries(1):
        assert len(read(log, partition).events) == 1_000
    with django_assert_num_queries(1):
        assert len(read(log, partition, after=700, max_events=10).events) == 10
    with django_assert_num_queries(1):
        assert read(log, partition, after=2_000).events == []


def test_many_small_batches_cost_two_queries_at_first_and_then_one(partition, make_log, django_assert_num_queries):
    log = make_log(cache_bytes=0)
    for number in range(300):
        append(log, partition, number)
    connection.ensure_connection()
    with django_assert_num_queries(2):
        assert len(read(log, partition).events) == 300
    with django_assert_num_queries(1):
        assert len(read(log, partition).events) == 300


def test_a_small_read_does_not_fetch_large_neighbours(partition, make_log):
    log = make_log()
    for number in range(20):
        append(log, partition, number, size=200_000)
    with connection.cursor() as cursor:
        # Compression would hide how much is fetched.
        cursor.execute(
            "SELECT sum(octet_length(records)) FROM streams_eventbatch WHERE partition_id = %s", [partition.id]
        )
    result = read(log, partition, max_bytes=1)
    assert list(result.offsets) == [1]
    assert log._reader.cache.bytes_used < 300_000


def test_reads_go_by_the_primary_keys(partition, make_log):
    log = make_log()
    for number in range(200):
        append(log, partition, number)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE streams_eventbatch")
        statement = statements.texts["read"].decode()
        given = {"partition_id": partition.id, "after": 100, "up_to": 2**62, "max_batches": 5, "max_bytes": 1000}
        for name, value in given.items():
            statement = statement.replace(f"%({name})b", str(value))
        cursor.execute(f"EXPLAIN {statement}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "Index Scan using streams_eventbatch_pkey" in plan
    assert "Seq Scan on streams_eventbatch" not in plan


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("read", "after => 0, up_to => 4611686018427387904, max_batches => 1, max_bytes => 1, partition_id => {}"),
        ("recorded_after", "partition_ids => ARRAY[{}], afters => ARRAY[0]"),
    ],
)
def test_what_retention_took_is_not_passed_over_until_a_vacuum_comes(partition, make_log, name, parameters):
    log = make_log()
    append(log, partition, "a")
    with connection.cursor() as cursor:
        # As many appends would have left them, behind the one.
        cursor.execute(
            "INSERT INTO streams_eventbatch (partition_id, last_offset, event_count, recorded_at, codec, records)"
            " SELECT partition_id, last_offset + number, 1, recorded_at, codec, records"
            " FROM streams_eventbatch, generate_series(1, 30000) AS number"
        )
    Partition.objects.update(head_offset=30_001, stored_bytes=10**9)
    while log.trim(partition, keep_events=10, max_batches=30_000):
        pass
    statement = statements.texts[name].decode()
    for each in parameters.format(partition.id).split(", "):
        parameter, value = each.split(" => ")
        statement = statement.replace(f"%({parameter})b", value)
    with connection.cursor() as cursor:
        # As autovacuum does now and then: what it knows, and whether it came by before this, would choose the plan.
        cursor.execute("ANALYZE streams_eventbatch, streams_partition")
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}")
        plan = cursor.fetchone()[0][0]["Plan"]
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 20
    assert log.recorded_after([(partition, 0)]) == log.recorded_after([(partition, 29_991)]) != [None]
    assert read(log, partition).offsets[0] == 29_992


# --- the cache -------------------------------------------------------------------------------------------


def test_the_cache_stays_within_its_bytes_and_forgets_what_was_used_longest_ago():
    cache = BatchCache(max_bytes=10 * batch(10, 10).size)
    for last_offset in range(10, 510, 10):
        cache.add(1, [batch(last_offset, 10)])
        cache.run(1, after=0, max_events=1, max_bytes=1)
        assert cache.bytes_used <= 10 * batch(10, 10).size
    assert [one.last_offset for one in cache.run(1, after=0, max_events=100, max_bytes=10**6)] == [10]
    assert [one.last_offset for one in cache.run(1, after=420, max_events=100, max_bytes=10**6)] == list(
        range(430, 501, 10)
    )


def test_the_cache_answers_up_to_its_first_hole():
    cache = BatchCache(max_bytes=1 << 20)
    cache.add(1, [batch(5, 5), batch(8, 3), batch(20, 2)])
    cache.add(2, [batch(9, 1)])

    def run(after, max_events=100, max_bytes=10**6):
        return [one.last_offset for one in cache.run(1, after=after, max_events=max_events, max_bytes=max_bytes)]

    assert run(0) == [5, 8]
    assert run(4) == [5, 8]
    assert run(5) == [8]
    assert run(8) == run(17) == run(20) == []
    assert run(18) == [20]
    assert run(0, max_events=5) == [5]
    assert run(0, max_bytes=501) == [5, 8]
    assert run(0, max_bytes=500) == [5]


def test_a_batch_takes_the_place_of_all_that_it_holds_and_of_nothing_else():
    cache = BatchCache(max_bytes=1 << 20)
    cache.add(1, [batch(5, 5), batch(6, 1), batch(7, 1), batch(10, 3), batch(12, 2)])
    cache.add(1, [batch(10, 5)])
    assert cache.bytes_used == sum(batch(10, count).size for count in (5, 5, 2))
    # What an older snapshot still sees comes late.
    cache.add(1, [batch(7, 1), batch(10, 3), batch(10, 5)])
    assert cache.bytes_used == sum(batch(10, count).size for count in (5, 5, 2))
    found = cache.run(1, after=0, max_events=100, max_bytes=10**6)
    assert [(one.first_offset, one.last_offset) for one in found] == [(1, 5), (6, 10), (11, 12)]


def test_what_is_dropped_leaves_the_cache():
    cache = BatchCache(max_bytes=1 << 20)
    cache.add(1, [batch(5, 5), batch(8, 3)])
    cache.discard(1)
    cache.discard(1)
    assert (cache.bytes_used, cache.run(1, after=0, max_events=9, max_bytes=9)) == (0, [])


def test_the_batches_of_one_partition_never_have_two_marks():
    cache = BatchCache(max_bytes=1 << 20)
    cache.add(1, [batch(5, 5, mark=1), batch(8, 3, mark=1)])
    cache.add(2, [batch(5, 5, mark=1)])
    # One that began to read before an erasure comes late with what lies behind.
    cache.add(1, [batch(9, 1, mark=2)])
    assert [(each.last_offset, each.mark) for each in cache.run(1, after=8, max_events=9, max_bytes=10**6)] == [(9, 2)]
    assert cache.run(1, after=0, max_events=9, max_bytes=10**6) == []
    assert len(cache.run(2, after=0, max_events=9, max_bytes=10**6)) == 1
    assert cache.bytes_used == batch(9, 1).size + batch(5, 5).size


# --- damage ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE streams_eventbatch SET records = 'x' WHERE partition_id = %s AND last_offset = 4",
        "UPDATE streams_eventbatch SET codec = 9 WHERE partition_id = %s AND last_offset = 4",
        "UPDATE streams_eventbatch SET event_count = 1 WHERE partition_id = %s AND last_offset = 4",
        "DELETE FROM streams_eventbatch WHERE partition_id = %s AND last_offset = 2",
    ],
)
def test_a_damaged_batch_is_reported_and_never_skipped(partition, make_log, damage):
    log = make_log()
    append(log, partition, "a", "b")
    append(log, partition, "c", "d")
    with connection.cursor() as cursor:
        cursor.execute(damage, [partition.id])
    with pytest.raises(LogDamaged):
        read_all(log, partition)


def test_splicing_checks_the_number_of_records():
    at = datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=UTC)
    spliced = splice(number=3, last_offset=9, event_count=2, recorded_at=at, records=b'{"a":1}\n{"b":"\\n{"}')
    assert spliced.events == (
        b'{"partition":3,"offset":8,"recorded_at":"2026-11-22T10:00:00.123456Z","a":1}',
        b'{"partition":3,"offset":9,"recorded_at":"2026-11-22T10:00:00.123456Z","b":"\\n{"}',
    )
    for records in (b'{"a":1}', b'{"a":1}\n{"b":1}\n{"c":1}', b""):
        with pytest.raises(LogDamaged):
            splice(number=3, last_offset=9, event_count=2, recorded_at=at, records=records)
