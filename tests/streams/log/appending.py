"""Appending under load, in threads and in processes of their own, and checking what became of it.

As a program it appends to the partitions given until its input ends or it is killed, and writes a line for each
outcome: `python -m tests.streams.log.appending '{"partitions": …, "threads": …, "prefix": …}'`.
"""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from accounts.errors import DomainError
from streams.errors import AppendNotStored, AppendOutcomeUnknown
from streams.log.protocol import AppendedRange, Log, PartitionAppend, PartitionRef, ReadResult
from tests.forked import Forked
from tests.threads import Work

STORED, REFUSED, UNKNOWN = "stored", "refused", "unknown"


def span(range_: AppendedRange) -> tuple[int, int]:
    """Return the first and the last offset of what was appended."""
    return range_.first_offset, range_.last_offset


def event(name: str, size: int = 0) -> bytes:
    return json.dumps({"id": name, "payload": "x" * size}, separators=(",", ":")).encode()


@dataclass
class Outcomes:
    """What each append was told: event id -> (outcome, partition id, offset)."""

    of: dict[str, tuple[str, int, int]] = field(default_factory=dict)

    def count(self, outcome: str) -> int:
        return sum(1 for one, _, _ in list(self.of.values()) if one == outcome)


@dataclass
class Load:
    """Who appends what: threads, each one request after the other, of 1 to `max_events` to 1 to 2 partitions."""

    partitions: list[PartitionRef]
    threads: int = 4
    prefix: str = "here"
    max_events: int = 5

    def run(self, log: Log, tell: Callable[[str, str, int, int], None], stop: threading.Event) -> None:
        def append_on(thread: int) -> None:
            dice = random.Random(f"{self.prefix}-{thread}")
            for request in itertools.count():
                if stop.is_set():
                    return
                chosen = dice.sample(self.partitions, min(len(self.partitions), dice.choice((1, 1, 1, 2))))
                names = [
                    [f"{self.prefix}-{thread}-{request}-{n}-{i}" for i in range(dice.randint(1, self.max_events))]
                    for n in range(len(chosen))
                ]
                try:
                    appended = log.append(
                        [
                            PartitionAppend(p, [event(name) for name in some])
                            for p, some in zip(chosen, names, strict=True)
                        ]
                    )
                except AppendNotStored:
                    stop.wait(0.02)
                    self._tell_all(tell, REFUSED, chosen, names)
                except AppendOutcomeUnknown:
                    self._tell_all(tell, UNKNOWN, chosen, names)
                except DomainError:
                    self._tell_all(tell, REFUSED, chosen, names)
                else:
                    for placed, some in zip(appended.ranges, names, strict=True):
                        assert placed.last_offset - placed.first_offset + 1 == len(some)
                        for offset, name in enumerate(some, placed.first_offset):
                            tell(STORED, name, placed.partition.id, offset)

        works = [Work(partial(append_on, n)) for n in range(self.threads)]
        for work in works:
            # For as long as it is wanted.
            work.result(threading.TIMEOUT_MAX)

    @staticmethod
    def _tell_all(tell: Any, outcome: str, partitions: Sequence[PartitionRef], names: list[list[str]]) -> None:
        for partition, some in zip(partitions, names, strict=True):
            for name in some:
                tell(outcome, name, partition.id, 0)


@contextmanager
def appending_processes(*loads: Load) -> Iterator[list["AppendingProcess"]]:
    """Append in a process for each load, from before the block runs until they are told to finish."""
    with ExitStack() as stack:
        processes = [stack.enter_context(AppendingProcess(load)) for load in loads]
        for process in processes:
            assert process.has_begun.wait(60)
        yield processes


@contextmanager
def appending_here(log: Log, load: Load) -> Iterator[Outcomes]:
    """Append in threads of this process while the block runs; afterwards all outcomes are known."""
    outcomes = Outcomes()
    stop = threading.Event()

    def tell(outcome: str, name: str, partition_id: int, offset: int) -> None:
        outcomes.of[name] = (outcome, partition_id, offset)

    runner = Work(lambda: load.run(log, tell, stop))
    try:
        yield outcomes
    finally:
        stop.set()
        runner.result()


def process_environment() -> dict[str, str]:
    """The environment for a process that works in the test database."""
    from django.db import connection

    url = urlsplit(os.environ["DATABASE_URL"])
    name = connection.settings_dict["NAME"]
    return os.environ | {"DATABASE_URL": url._replace(path=f"/{name}").geturl(), "DATABASE_POOL_SIZE": "0"}


class AppendingProcess:
    """A process that appends, in the test database or in what the environment names.

    What it wrote before it died counts; half a line does not.
    """

    def __init__(self, load: Load, environment: Mapping[str, str] | None = None) -> None:
        options = json.dumps(asdict(load))
        self._process: Forked | subprocess.Popen[str]
        if environment is None:
            self._process = Forked(__name__, options)
        else:
            command = [sys.executable, "-m", __name__, options]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
            )
        self._lines: list[str] = []
        self._was_killed = False
        self.has_begun = threading.Event()
        self._reader = Work(self._read)

    def __enter__(self) -> "AppendingProcess":
        return self

    def __exit__(self, *error: object) -> None:
        """Leave none behind when a test has failed."""
        self._process.kill()
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(line)
            self.has_begun.set()

    @property
    def stored_count(self) -> int:
        """How many events were answered so far."""
        return sum(line.startswith(STORED) for line in list(self._lines))

    def kill(self) -> None:
        """Kill it in the midst of its work."""
        assert self._process.poll() is None, "it has ended by itself"
        self._was_killed = True
        self._process.kill()

    def finish(self) -> Outcomes:
        """Let it end if it still runs, and return all that it said."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        status = self._process.wait(60)
        assert status == (-signal.SIGKILL if self._was_killed else 0)
        self._reader.result()
        outcomes = Outcomes()
        for line in self._lines:
            if line.endswith("\n"):
                outcome, name, partition_id, offset = line.split()
                outcomes.of[name] = (outcome, int(partition_id), int(offset))
        return outcomes


def read_all(log: Log, partition: PartitionRef, *, step: int = 1_000) -> list[dict[str, Any]]:
    """Return all kept events, decoded, having checked that they follow each other without a hole."""
    events: list[dict[str, Any]] = []
    position = 0
    while True:
        result = log.read(partition, after=position, max_events=step, max_bytes=8 * 1024 * 1024)
        check_continuous(result, after=position)
        events += map(json.loads, result.events)
        if result.next_offset == result.bounds.head_offset:
            return events
        position = result.next_offset


def check_continuous(result: ReadResult, *, after: int) -> None:
    """What is returned after an offset begins right behind it and has no hole, nor anything beyond the head."""
    assert result.gap is None
    assert list(result.offsets) == list(range(after + 1, after + 1 + len(result.events)))
    assert result.next_offset == after + len(result.events) <= result.bounds.head_offset
    assert [json.loads(text)["offset"] for text in result.events] == list(result.offsets)


def check_log(log: Log, partitions: Sequence[PartitionRef], outcomes: Sequence[Outcomes]) -> Mapping[str, int]:
    """Compare the log with what the appends were told; return how many there were of each outcome.

    Stored events are where it was said, refused ones nowhere, those in doubt at most once; nothing else is there.
    """
    told = {name: outcome for some in outcomes for name, outcome in some.of.items()}
    found: dict[str, tuple[int, int]] = {}
    for partition in partitions:
        events = read_all(log, partition)
        assert [one["offset"] for one in events] == list(range(1, len(events) + 1))
        assert len(events) == log.bounds([partition])[partition.id].head_offset
        times = [one["recorded_at"] for one in events]
        assert times == sorted(times)
        for one in events:
            assert one["id"] not in found, f"{one['id']} is there twice"
            found[one["id"]] = (partition.id, one["offset"])
    for name, (outcome, partition_id, offset) in told.items():
        if outcome == STORED:
            assert found.get(name) == (partition_id, offset), f"{name} was answered but is not there"
        elif outcome == REFUSED:
            assert name not in found, f"{name} was refused but is there"
    return Counter(outcome for outcome, _, _ in told.values()) + Counter(unasked=len(found.keys() - told.keys()))


def main() -> None:
    import django

    django.setup()
    from streams.log import close_log, get_log

    options = json.loads(sys.argv[1])
    load = Load(**options | {"partitions": [PartitionRef(*one) for one in options["partitions"]]})
    stop = threading.Event()

    def tell(*words: object) -> None:
        # One write for one line, so that a kill leaves whole lines.
        os.write(1, (" ".join(map(str, words)) + "\n").encode())

    def stop_when_input_ends() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=stop_when_input_ends, daemon=True).start()
    load.run(get_log(), tell, stop)
    close_log()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eventflow_site.settings")
    main()
