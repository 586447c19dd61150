"""How full is the disk now: asked of the file system, or of PostgreSQL where the disk is another machine's."""

import shutil
import threading
from concurrent.futures import Future
from datetime import datetime

from django.conf import settings

from observability.conf import DISK_PATIENCE_SECONDS
from observability.numbers.disk.forecast import Room
from observability.numbers.statements import run

# The last question to the file system, which may never be answered.
_asked: Future[tuple[int, int]] | None = None


def measure_disk(*, now: datetime) -> Room | None:
    """Return how full the disk is, or None if nobody said which one it is.

    With both a directory and a limit of the database, what has less room left counts.

    Raises:
        OSError: the directory is not there, or its file system does not answer.
    """
    rooms: list[Room] = []
    if settings.DISK_PATH:
        rooms.append(Room(now.timestamp(), *_ask_file_system(settings.DISK_PATH)))
    if settings.DISK_CAPACITY_BYTES:
        ((used,),) = run("database_size")
        rooms.append(Room(now.timestamp(), used, settings.DISK_CAPACITY_BYTES))
    return min(rooms, key=lambda room: room.free_bytes, default=None)


def _ask_file_system(path: str) -> tuple[int, int]:
    """Return used bytes and capacity, as `df` counts them: what only root may still write to is no room.

    Raises:
        TimeoutError: no answer within some seconds. Then one thread waits on, and never a second one beside it.
    """
    global _asked  # noqa: PLW0603 - one question for each process is the point
    if _asked is not None and not _asked.done():
        raise TimeoutError(f"the file system of {path} has not answered since it was asked before")
    _asked = answer = Future[tuple[int, int]]()
    threading.Thread(target=_answer, args=(answer, path), name="disk", daemon=True).start()
    return answer.result(timeout=DISK_PATIENCE_SECONDS)


def _answer(answer: Future[tuple[int, int]], path: str) -> None:
    try:
        usage = shutil.disk_usage(path)
    except OSError as error:
        answer.set_exception(error)
    else:
        answer.set_result((usage.used, usage.used + usage.free))
