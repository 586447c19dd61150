"""Counters of several processes, added up; what a process counted stays counted."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.parser import text_string_to_metric_families

from observability.telemetry.counter_files import add_up, render_sums, write_values
from observability.telemetry.process_counters import counted_so_far, fold_departed

pytestmark = pytest.mark.processes

COUNT = """
import os, sys
from streams.metrics import count_append, count_rejection, count_waiting
for _ in range(int(sys.argv[1])):
    count_append(events=10, seconds=0.004)
count_rejection("stream_not_found")
count_waiting(1)
print("done", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def directory(tmp_path, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def start(directory):
    processes = []

    def begin(appends):
        process = subprocess.Popen(
            [sys.executable, "-c", COUNT, str(appends)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ
        )
        processes.append(process)
        assert process.stdout.readline() == b"done\n"
        return process

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def end(process):
    process.kill()
    process.wait()


def counted():
    text = counted_so_far().decode()
    return {(s.name, *s.labels.values()): s.value for f in text_string_to_metric_families(text) for s in f.samples}


def test_processes_are_added_up(start):
    start(3)
    start(4)

    found = counted()

    assert found["eventflow_appended_events_total",] == 70
    assert found["eventflow_append_seconds_count",] == 7
    assert found["eventflow_append_seconds_bucket", "0.005"] == 7
    assert found["eventflow_append_seconds_bucket", "0.0025"] == 0
    assert found["eventflow_rejections_total", "stream_not_found"] == 2
    assert found["eventflow_waiting_polls",] == 2


def test_what_a_process_counted_stays_counted_when_it_is_killed(start, directory):
    end(start(3))
    start(4)

    for _ in range(2):
        found = counted()
        assert found["eventflow_appended_events_total",] == 70
        assert found["eventflow_append_seconds_bucket", "0.005"] == 7
        assert found["eventflow_waiting_polls",] == 1, "one that is gone waits no more"


def test_files_do_not_pile_up(start, directory):
    for _ in range(4):
        end(start(1))
        counted()

    assert sorted(file.name for file in directory.glob("*.db")) == ["counter_0.db", "histogram_0.db"]
    assert counted()["eventflow_appended_events_total",] == 40


def test_folding_twice_counts_once(start, directory):
    end(start(5))

    assert fold_departed(directory) == 3
    assert fold_departed(directory) == 0
    assert counted()["eventflow_appended_events_total",] == 50


def test_the_page_says_what_prometheus_clients_own_reader_says(start, directory):
    start(3)
    end(start(4))
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(directory))

    def families(text):
        return {
            family.name: (
                family.type,
                family.documentation,
                {(s.name, *sorted(s.labels.items())): s.value for s in family.samples},
            )
            for family in text_string_to_metric_families(text)
        }

    theirs = families(generate_latest(registry).decode())
    ours = families(counted_so_far().decode())

    # They go on counting a gauge of a process that nobody told them is dead.
    del theirs["eventflow_waiting_polls"], ours["eventflow_waiting_polls"]
    assert len(ours) >= 6
    assert ours == theirs


def test_labels_may_hold_anything(tmp_path):
    label = 'a"b\\c\nd,e="f"}'
    key = json.dumps(["m", "m_total", {"label": label}, "Help\nme \\ now"])
    write_values(tmp_path / "counter_1.db", {key: 1.5})

    [family] = text_string_to_metric_families(render_sums(add_up(tmp_path.glob("*.db"))).decode())

    assert family.samples[0].labels == {"label": label}
    assert family.samples[0].value == 1.5


def test_directories_of_other_containers_are_added(start, directory, tmp_path, settings, monkeypatch):
    other = tmp_path / "worker"
    other.mkdir()
    start(1)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(other))
    start(2)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(directory))
    settings.METRICS_MORE_DIRS = [str(other)]

    assert counted()["eventflow_appended_events_total",] == 30


# --- files of processes that were killed, and disks that are full -------------------------------------------

# As a server does, that got the number of an earlier one: a container's second start gives out the same.
SECOND_LIFE = """
import accounts.process_id
accounts.process_id._id = 4711
from django.conf import settings
settings.LOGGING
from streams.metrics import count_append, count_waiting
count_append(events=10, seconds=0.004)
for _ in range(3):
    count_waiting(1)
"""

# Files may not become larger than so: like a full disk, but for the system's way to say it.
WITHOUT_ROOM = """
import resource, sys
from django.conf import settings
settings.LOGGING
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
from prometheus_client import Counter
from streams.metrics import count_append
count_append(events=10, seconds=0.004)
counter = Counter("made_up", "One with many labels.", ["number"])
for number in range(2_000):
    counter.labels(str(number)).inc()
count_append(events=10, seconds=0.004)
print(int(counter.labels("1999")._value.get()))
"""


def run(program: str, *arguments: object) -> str:
    env = os.environ | {"DJANGO_SETTINGS_MODULE": "eventflow_site.settings"}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout


def test_a_process_with_the_number_of_one_that_was_killed_goes_on_with_its_counters_and_not_with_its_gauges(directory):
    run(SECOND_LIFE)
    assert (directory / "gauge_livesum_4711.db").exists()
    run(SECOND_LIFE)

    found = sums_of(directory)
    assert found["eventflow_appended_events_total"] == 20
    assert found["eventflow_waiting_polls"] == 3, "nobody waits any more at the one that is gone"


def sums_of(directory: Path) -> dict[str, float]:
    """Return what stands in all files, by sample, whether their processes live or not."""
    text = render_sums(add_up(directory.glob("*.db"))).decode()
    return {sample.name: sample.value for each in text_string_to_metric_families(text) for sample in each.samples}


def test_without_room_for_a_file_a_process_counts_for_itself_and_lives(directory):
    assert run(WITHOUT_ROOM, 0) == "1\n"
    assert list(directory.glob("*.db")) == []


def test_without_room_for_more_what_stands_in_the_file_stays_counted(directory):
    assert run(WITHOUT_ROOM, 1 << 16) == "1\n"
    assert sums_of(directory)["eventflow_appended_events_total"] == 10


@pytest.mark.parametrize("content", [b"", b"\x08", b"\xff\x00\x00\x00" + bytes(200), b"\x40\x00\x00\x00" + bytes(60)])
def test_a_file_that_was_left_half_written_spoils_no_page(start, directory, content):
    (directory / "counter_4194304.db").write_bytes(content)
    start(3)

    for _ in range(2):
        assert counted()["eventflow_appended_events_total",] == 30


def test_without_room_to_fold_what_the_departed_counted_stays_counted(directory):
    run(SECOND_LIFE)
    for file in directory.glob("*_4711.db"):
        file.rename(file.with_name(file.name.replace("4711", "4194304")))

    assert run(FOLD_WITHOUT_ROOM) == "10\n"
    assert sums_of(directory)["eventflow_appended_events_total"] == 10


FOLD_WITHOUT_ROOM = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
from django.conf import settings
settings.LOGGING
from observability.telemetry.process_counters import counted_so_far
[line] = [line for line in counted_so_far().decode().splitlines() if line.startswith("eventflow_appended_events_total")]
print(line.split()[1])
"""
