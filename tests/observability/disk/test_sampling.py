"""Looking at the disk: what is asked, and what is kept of it."""

import shutil
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from observability.models import DiskSample
from observability.numbers.disk import measuring
from observability.numbers.disk.measuring import measure_disk
from observability.numbers.disk.sampling import sample_disk

pytestmark = pytest.mark.usefixtures("db_with_commits")

NOW = datetime(2026, 11, 22, 10, 4, 30, tzinfo=UTC)
GIB = 2**30


@pytest.fixture(autouse=True)
def nobody_said_which_disk(settings, monkeypatch):
    settings.DISK_PATH, settings.DISK_CAPACITY_BYTES = "", 0
    monkeypatch.setattr(measuring, "_asked", None)


def disk_of(monkeypatch, used, free, *, only_roots=0):
    usage = shutil._ntuple_diskusage(used + free + only_roots, used, free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)


def test_when_nobody_says_which_disk_nothing_is_known():
    assert measure_disk(now=NOW) is None
    assert sample_disk(now=NOW) == 0
    assert not DiskSample.objects.exists()


def test_a_directory_tells_of_the_disk_that_it_is_on(settings, tmp_path):
    settings.DISK_PATH = str(tmp_path)
    room, usage = measure_disk(now=NOW), shutil.disk_usage(tmp_path)
    assert room.capacity_bytes == pytest.approx(usage.used + usage.free, rel=0.01)
    assert 0 < room.used_bytes < room.capacity_bytes


def test_what_only_root_may_write_to_is_no_room(settings, monkeypatch):
    settings.DISK_PATH = "/data"
    disk_of(monkeypatch, 90 * GIB, 5 * GIB, only_roots=5 * GIB)
    room = measure_disk(now=NOW)
    assert (room.used_bytes, room.capacity_bytes) == (90 * GIB, 95 * GIB)


def test_a_server_elsewhere_says_how_much_the_database_takes(settings):
    settings.DISK_CAPACITY_BYTES = 50 * GIB
    room = measure_disk(now=NOW)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        assert room.used_bytes == pytest.approx(cursor.fetchone()[0], rel=0.1)
    assert room.capacity_bytes == 50 * GIB


def test_of_both_what_has_less_room_counts(settings, monkeypatch):
    settings.DISK_PATH, settings.DISK_CAPACITY_BYTES = "/data", 50 * GIB
    disk_of(monkeypatch, 10 * GIB, 1 * GIB)
    assert measure_disk(now=NOW).capacity_bytes == 11 * GIB
    disk_of(monkeypatch, 10 * GIB, 900 * GIB)
    assert measure_disk(now=NOW).capacity_bytes == 50 * GIB


def test_a_directory_that_is_not_there_is_said(settings, tmp_path):
    settings.DISK_PATH = str(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError):
        sample_disk(now=NOW)


def test_a_disk_that_hangs_is_waited_for_once_and_by_one_thread(settings, monkeypatch):
    settings.DISK_PATH = "/data"
    goes_on, asked = threading.Event(), []

    def hang(_path):
        asked.append(1)
        goes_on.wait(30)
        return shutil._ntuple_diskusage(10 * GIB, 5 * GIB, 5 * GIB)

    monkeypatch.setattr(shutil, "disk_usage", hang)
    monkeypatch.setattr(measuring, "DISK_PATIENCE_SECONDS", 0.05)
    for _ in range(3):
        with pytest.raises(TimeoutError):
            measure_disk(now=NOW)
    assert asked == [1]

    goes_on.set()
    measuring._asked.result(timeout=10)
    monkeypatch.setattr(measuring, "DISK_PATIENCE_SECONDS", 10.0)
    assert measure_disk(now=NOW).used_bytes == 5 * GIB


def test_looks_of_the_same_ten_minutes_are_one_sample_the_newest(settings, monkeypatch):
    settings.DISK_PATH = "/data"
    for minute in range(12):
        disk_of(monkeypatch, (50 + minute) * GIB, 40 * GIB)
        assert sample_disk(now=NOW + timedelta(minutes=minute)) == 1
    assert list(DiskSample.objects.order_by("period").values_list("period", "measured_at", "used_bytes")) == [
        (NOW.replace(minute=0, second=0), NOW + timedelta(minutes=5), 55 * GIB),
        (NOW.replace(minute=10, second=0), NOW + timedelta(minutes=11), 61 * GIB),
    ]


def test_a_day_of_growth_foretells_when_the_disk_is_full(settings, monkeypatch):
    settings.DISK_PATH = "/data"
    for number in range(20):
        disk_of(monkeypatch, (50 + number) * GIB, (50 - number) * GIB)
        sample_disk(now=NOW + timedelta(minutes=10 * number))
    newest = DiskSample.objects.latest("period")
    assert newest.full_at == newest.measured_at + timedelta(minutes=310)
    assert DiskSample.objects.filter(full_at__isnull=False).count() == 2, "the first three hours tell nothing"


def test_what_was_more_than_a_day_ago_does_not_count(settings, monkeypatch):
    settings.DISK_PATH = "/data"
    for number in range(30):
        DiskSample.objects.create(
            period=NOW - timedelta(hours=24, minutes=10 + 10 * number),
            measured_at=NOW - timedelta(hours=24, minutes=10 + 10 * number),
            used_bytes=(50 - number) * GIB,
            capacity_bytes=100 * GIB,
        )
    disk_of(monkeypatch, 50 * GIB, 50 * GIB)
    sample_disk(now=NOW)
    assert DiskSample.objects.latest("period").full_at is None


def test_old_samples_go(settings, monkeypatch):
    settings.DISK_PATH = "/data"
    disk_of(monkeypatch, 50 * GIB, 40 * GIB)
    for hours in (49, 47, 0):
        sample_disk(now=NOW - timedelta(hours=hours))
    assert [each.measured_at for each in DiskSample.objects.order_by("period")] == [NOW - timedelta(hours=47), NOW]


@pytest.mark.parametrize("wrong", [{"used_bytes": -1}, {"capacity_bytes": 0}])
def test_a_sample_that_cannot_be_is_refused(wrong):
    with pytest.raises(IntegrityError), transaction.atomic():
        DiskSample.objects.create(**{"period": NOW, "measured_at": NOW, "used_bytes": 1, "capacity_bytes": 2, **wrong})
