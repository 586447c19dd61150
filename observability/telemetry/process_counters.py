"""What all processes of this machine have counted: web workers, Celery's worker and beat, added up.

Each process counts in files of its own under PROMETHEUS_MULTIPROC_DIR (prometheus_client's multiprocess mode);
whoever is asked for /metrics adds them up. What a process counted stays counted when it ends: its files
are folded into one file of the departed, so sums never go back and files do not pile up.
"""

import contextlib
import fcntl
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from prometheus_client import REGISTRY, generate_latest

from observability.telemetry.counter_files import add_up, kind_of, read_values, render_sums, write_values

logger = logging.getLogger(__name__)

# The process id of nobody: whose counts are those of all processes that have ended.
DEPARTED = 0


def counted_so_far() -> bytes:
    """Return everything that this process and its siblings have counted, as Prometheus' text."""
    own = own_directory()
    if own is None:
        return generate_latest(REGISTRY)
    fold_departed(own)
    with _locked(own, fcntl.LOCK_SH):
        directories = [own, *map(Path, settings.METRICS_MORE_DIRS)]
        return render_sums(add_up(file for directory in directories for file in sorted(directory.glob("*.db"))))


def own_directory() -> Path | None:
    """Where this process and its siblings count, or None if it counts for itself alone."""
    text = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    return Path(text) if text and Path(text).is_dir() else None


def fold_departed(directory: Path) -> int:
    """Add the files of processes that have ended to the file of the departed; return how many files went."""
    departed = [file for file in directory.glob("*.db") if not _is_alive(_process_of(file))]
    if not departed:
        return 0
    folded = 0
    try:
        with _locked(directory, fcntl.LOCK_EX):
            for file in departed:
                _fold(file)
                folded += 1
    except OSError as error:
        # A full disk, say. They are added up as they are.
        logger.warning("counts of processes that have ended stay in their files: %s", error)
    return folded


def _fold(file: Path) -> None:
    kind = kind_of(file)
    # A gauge says what is now: nothing, for a process that is gone.
    if file.exists() and not kind.startswith("gauge_"):
        target = file.with_name(f"{kind}_{DEPARTED}.db")
        sums = dict(read_values(target)) if target.exists() else {}
        for key, value in read_values(file):
            sums[key] = sums.get(key, 0.0) + value
        # Made whole beside it and then moved into place: a crash meanwhile loses nothing.
        draft = file.with_name(f"{target.name}.new")
        draft.unlink(missing_ok=True)
        write_values(draft, sums)
        draft.replace(target)
    file.unlink(missing_ok=True)


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
