"""How many payloads were not as their schema says: noted in memory, written down beside all requests.

Nothing of it stands on a request's way. What was noted in the last seconds before a process is killed is lost; only
what people look at depends on it.
"""

import logging
import threading
from collections import Counter
from typing import Final

from django.db.models import F
from django.db.models.functions import Now

from accounts.written_beside import keep_writing
from streams.models import EventSchema

logger = logging.getLogger("eventflow.schemas")
_ROUND_SECONDS: Final = 2.0

_lock = threading.Lock()
_refused: Counter[int] = Counter()
_marked: Counter[int] = Counter()


def note_invalid(schema_id: int, *, is_refused: bool) -> None:
    """Note that a payload was not as a schema says: that it was refused, or that it is stored with a mark."""
    with _lock:
        (_refused if is_refused else _marked)[schema_id] += 1


def write_schema_uses() -> int:
    """Write down what was noted; return of how many payloads. What cannot be written stays noted."""
    with _lock:
        refused, marked = Counter(_refused), Counter(_marked)
    # In one order everywhere, so that two processes never wait for each other.
    for schema_id in sorted({*refused, *marked}):
        EventSchema.objects.filter(pk=schema_id).update(
            refused_count=F("refused_count") + refused[schema_id],
            marked_count=F("marked_count") + marked[schema_id],
            last_invalid_at=Now(),
        )
        with _lock:
            for noted, written in ((_refused, refused), (_marked, marked)):
                noted[schema_id] -= written[schema_id]
                if not noted[schema_id]:
                    del noted[schema_id]
    return refused.total() + marked.total()


def keep_writing_schema_uses() -> None:
    """Write down what is noted now and again, for as long as this process lives."""
    keep_writing(write_schema_uses, what="what did not fit its schema", every_seconds=_ROUND_SECONDS, logger=logger)


def forget_schema_uses() -> None:
    """Drop what is noted and not written."""
    with _lock:
        _refused.clear()
        _marked.clear()
