"""A disk that is nearly full, or will be soon: said in health and metrics, and no node is taken away for it."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from observability.numbers import collectors
from observability.telemetry.disk import DiskStanding, find_disk_standing
from observability.telemetry.heartbeat import record_tick
from streams.log import use_log
from tests.observability.disk.samples import GIB, sample
from tests.observability.test_health import HEALTHY

pytestmark = pytest.mark.usefixtures("db_with_commits")

HOUR, DAY = 3600, 86400


@pytest.fixture(autouse=True)
def nothing_is_remembered(monkeypatch):
    monkeypatch.setattr(collectors, "_failed_at", float("-inf"))


def scrape():
    page = Client().get("/metrics").content.decode()
    return {name: float(value) for name, value in re.findall(r"^(eventflow_disk_\w+) (\S+)$", page, re.MULTILINE)}


# --- when it is low, and in what words ---


@pytest.mark.parametrize(
    ("used", "full_seconds", "is_low", "words"),
    [
        (40, None, False, "40 % full"),
        (85, None, False, "85 % full"),
        (86, None, True, "86 % full"),
        (104, None, True, "104 % full"),
        (40, 7 * DAY, False, "40 % full"),
        (40, 7 * DAY - 1, True, "40 % full, and at this rate full in about 7 days"),
        (91, 3 * DAY, True, "91 % full, and at this rate full in about 3 days"),
        (91, 30 * DAY, True, "91 % full"),
        (91, 20 * HOUR, True, "91 % full, and at this rate full in about 20 hours"),
        (99, HOUR, True, "99 % full, and at this rate full in about 1 hour"),
        (99, 600, True, "99 % full, and at this rate full in less than an hour"),
        (100, 0, True, "100 % full, and at this rate full in less than an hour"),
    ],
)
def test_it_is_low_above_85_percent_or_within_a_week(used, full_seconds, is_low, words):
    standing = DiskStanding(used * GIB, 100 * GIB, full_seconds)
    assert (standing.is_low, standing.words) == (is_low, words)


def test_a_little_above_85_percent_is_low():
    assert DiskStanding(85 * GIB + 1, 100 * GIB, None).is_low


def test_the_newest_sample_tells_and_after_an_hour_none_does():
    assert find_disk_standing(now=timezone.now()) is None
    sample(50, ago=1200)
    sample(60, full_in=DAY, ago=300)
    now = timezone.now()
    standing = find_disk_standing(now=now)
    assert (standing.used_bytes, standing.capacity_bytes) == (60 * GIB, 100 * GIB)
    assert standing.full_seconds == pytest.approx(DAY - 300, abs=5)
    assert find_disk_standing(now=now + timedelta(days=2)) is None
    assert find_disk_standing(now=now + timedelta(minutes=50)) is not None
    assert find_disk_standing(now=now + timedelta(minutes=56)) is None


def test_a_moment_that_has_passed_is_now():
    sample(99, full_in=60, ago=600)
    assert find_disk_standing(now=timezone.now()).full_seconds == 0


# --- /readyz ---


def test_a_disk_that_is_low_is_said_by_readyz_which_stays_ready():
    record_tick(now=timezone.now())
    sample(91, full_in=3 * DAY)
    with use_log(HEALTHY):
        response = Client().get("/readyz")
    assert response.status_code == 200
    (said,) = response.json()["degraded"]
    assert said.startswith("disk: 91 % full, and at this rate full in about 3 days; shorten the retention")


def test_a_disk_with_room_is_no_word_of_readyz():
    record_tick(now=timezone.now())
    sample(50, full_in=30 * DAY)
    with use_log(HEALTHY):
        assert Client().get("/readyz").json()["degraded"] == []


# --- /metrics ---


def test_metrics_tell_used_capacity_and_when_it_is_full():
    sample(91, full_in=3 * DAY)
    found = scrape()
    assert found["eventflow_disk_used_bytes"] == 91 * GIB
    assert found["eventflow_disk_capacity_bytes"] == 100 * GIB
    assert found["eventflow_disk_full_seconds"] == pytest.approx(3 * DAY, abs=60)


def test_what_is_not_known_is_absent_from_the_metrics():
    assert scrape() == {}
    sample(50)
    assert scrape().keys() == {"eventflow_disk_used_bytes", "eventflow_disk_capacity_bytes"}
