"""What all processes of this machine have counted: web workers, Celery's worker and beat, added up.

Each process counts in files of its own under PROMETHEUS_MULTIPROC_DIR (prometheus_client's multiprocess mode);
whoever is asked for /metrics adds them up. What a process counted stays counted when it ends: its files
are folded into one file of the departed, so sums never go back and files do not pile up.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

from django.conf import settings
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

# The process id of nobody: whose counts are those of all processes that have ended.
DEPARTED = 0


class _Files(Collector):
    """Adds up the files of several directories."""

    def __init__(self, directories: list[Path]) -> None:
        self._directories = directories

    def collect(self) -> Iterable[Metric]:
        files = [str(file) for directory in self._directories for file in sorted(directory.glob("*.db"))]
        return cast("Iterable[Metric]", MultiProcessCollector.merge(files))  # type: ignore[no-untyped-call]


@contextlib.contextmanager
def counted_so_far() -> Iterator[CollectorRegistry]:
    """Lend a registry of everything that was counted, by this process and its siblings."""
    own = own_directory()
    if own is None:
        yield REGISTRY
        return
    fold_departed(own)
    registry = CollectorRegistry()
    registry.register(_Files([own, *map(Path, settings.METRICS_MORE_DIRS)]))
    with _locked(own, fcntl.LOCK_SH):
        yield registry


def own_directory() -> Path | None:
    """Where this process and its siblings count, or None if it counts for itself alone."""
    text = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(text) if text and Path(text).is_dir() else None


def fold_departed(directory: Path) -> int:
    """Add the files of processes that have ended to the file of the departed; return how many files went."""
    departed = [file for file in directory.glob("*.db") if not _is_alive(_process_of(file))]
    if not departed:
        return 0
    with _locked(directory, fcntl.LOCK_EX):
        for file in departed:
            _fold(file)
    return len(departed)


def _fold(file: Path) -> None:
    kind = file.name.rpartition("_")[0]
    # A gauge says what is now: nothing, for a process that is gone.
    if file.exists() and not kind.startswith("gauge_"):
        target = file.with_name(f"{kind}_{DEPARTED}.db")
        sums = {key: value for key, value, *_ in _values(target)} if target.exists() else {}
        for key, value, *_ in _values(file):
            sums[key] = sums.get(key, 0.0) + value
        # Made whole beside it and then moved into place: a crash meanwhile loses nothing.
        draft = file.with_name(f"{target.name}.new")
        draft.unlink(missing_ok=True)
        written = MmapedDict(str(draft))  # type: ignore[no-untyped-call]
        for key, value in sums.items():
            written.write_value(key, value, 0.0)  # type: ignore[no-untyped-call]
        written.close()  # type: ignore[no-untyped-call]
        draft.replace(target)
    file.unlink(missing_ok=True)


def _values(file: Path) -> Iterator[tuple[str, float, float, int]]:
    return MmapedDict.read_all_values_from_file(str(file))  # type: ignore[no-untyped-call]


def _process_of(file: Path) -> int:
    digits = file.stem.rpartition("_")[2]
    return int(digits) if digits.isdigit() else DEPARTED


def _is_alive(process: int) -> bool:
    if process == DEPARTED:
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextlib.contextmanager
def _locked(directory: Path, mode: int) -> Iterator[None]:
    """Keep those who fold apart from those who read."""
    with (directory / "fold.lock").open("a") as lock:
        fcntl.flock(lock, mode)
        yield
