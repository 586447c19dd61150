"""The log writer: whole lines, in order, none lost."""

import os
import subprocess
import sys
import threading
import time

import pytest

from observability.telemetry import log_writer
from observability.telemetry.log_writer import LogWriter


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    yield descriptor, path
    os.close(descriptor)


def test_lines_of_many_threads_arrive_whole_and_each_threads_in_order(file):
    descriptor, path = file
    writer = LogWriter(descriptor)

    def work(name):
        for i in range(2_000):
            writer.write(f"{name} {i} {'x' * 200}\n".encode())

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    writer.flush()

    lines = [line.split() for line in path.read_text().splitlines()]
    assert len(lines) == 8_000
    for name in range(4):
        assert [int(line[1]) for line in lines if line[0] == str(name)] == list(range(2_000))


def test_a_line_is_written_soon_without_a_flush(file):
    descriptor, path = file
    writer = LogWriter(descriptor)
    for text in (b"first\n", b"second\n"):
        writer.write(text)
        deadline = time.monotonic() + 10
        while text not in path.read_bytes() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert text in path.read_bytes()


def test_a_stuck_reader_does_not_fill_the_memory(file, monkeypatch):
    descriptor, path = file
    monkeypatch.setattr(log_writer, "MAX_PENDING_LINES", 10)
    writer = LogWriter(descriptor)
    monkeypatch.setattr(writer, "_start_thread", lambda: None)

    for i in range(100):
        writer.write(f"{i}\n".encode())

    assert len(path.read_text().splitlines()) > 80


@pytest.mark.processes
def test_nothing_is_lost_when_the_process_ends():
    program = (
        "from observability.telemetry.log_writer import LogWriter\n"
        "writer = LogWriter(2)\n"
        "for i in range(1000): writer.write(f'{i}\\n'.encode())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=True)
    assert done.stderr.decode().split() == [str(i) for i in range(1000)]


@pytest.mark.processes
def test_nothing_is_lost_when_a_multiprocessing_child_ends_and_a_fork_writes_its_own_lines_only():
    program = (
        "import multiprocessing\n"
        "from observability.telemetry.log_writer import LogWriter\n"
        "writer = LogWriter(2)\n"
        "def work():\n"
        "    for i in range(1000): writer.write(f'child {i}\\n'.encode())\n"
        "writer.write(b'parent\\n')\n"
        "child = multiprocessing.get_context('fork').Process(target=work)\n"
        "child.start(); child.join()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=True)
    lines = done.stderr.decode().splitlines()
    assert lines.count("parent") == 1
    assert len([line for line in lines if line.startswith("child")]) == 1000
