"""Counters of several processes, added up; what a process counted stays counted."""

import json
import os
import subprocess
import sys

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
