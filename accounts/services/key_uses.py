"""What keys are used for: noted in memory on each request, and written down once a minute beside all requests.

Nothing of it stands on a request's way: no statement, no row that a commit would wait for. What was noted in the last
minute before a process ends is lost; nothing but what people look at depends on it.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from accounts.conf import KEY_CACHE_SIZE, KEY_USE_ROUND_SECONDS, LAST_USED_INTERVAL_SECONDS, TOUCHED_KEPT
from accounts.models import ApiKey
from accounts.services.sessions import Visitor
from accounts.written_beside import keep_writing

logger = logging.getLogger("eventflow.keys")
# A key that is used a thousand times a second was used "now" all the while.
_NOTED_EVERY_SECONDS = 1.0
# A stream, and a group of it or "".
_Place = tuple[str, str]


@dataclass(slots=True)
class _Use:
    """The last use of a key that is not written down yet; times are seconds since the epoch."""

    at: float
    visitor: Visitor
    touched: dict[_Place, float] = field(default_factory=dict)


_lock = threading.Lock()
_uses: dict[str, _Use] = {}


def note_key_use(key_id: str, visitor: Callable[[], Visitor]) -> None:
    """Note that a key was used, from where and by what; who that is, is asked at most once a second."""
    now = time.time()
    use = _uses.get(key_id)
    if use is not None and now - use.at < _NOTED_EVERY_SECONDS:
        return
    who = visitor()
    with _lock:
        use = _uses.get(key_id)
        if use is not None:
            use.at, use.visitor = now, who
        else:
            if len(_uses) >= KEY_CACHE_SIZE:
                _uses.clear()
            _uses[key_id] = _Use(now, who)


def note_touch(key_id: str | None, stream: str, group: str = "") -> None:
    """Note that a key, if one was used, has touched a stream, or a group of it."""
    if key_id is None:
        return
    with _lock:
        use = _uses.get(key_id)
        if use is not None:
            use.touched[stream, group] = time.time()
            if len(use.touched) > TOUCHED_KEPT:
                del use.touched[min(use.touched, key=use.touched.__getitem__)]


def write_key_uses() -> int:
    """Write down what was noted of keys that nobody has written down for a minute; return of how many.

    What is too early to be written stays noted.
    """
    with _lock:
        noted = list(_uses)
    if not noted:
        return 0
    due = Q(use_written_at__isnull=True) | Q(use_written_at__lt=Now() - timedelta(seconds=LAST_USED_INTERVAL_SECONDS))
    with transaction.atomic():
        # One whose row somebody else writes at this moment has its turn later.
        keys = ApiKey.objects.select_for_update(skip_locked=True, no_key=True)
        found = {key.pk: key for key in keys.filter(due | Q(last_used_at__isnull=True), pk__in=noted)}
        with _lock:
            taken = {key_id: _uses.pop(key_id) for key_id in found if key_id in _uses}
        for key_id, use in taken.items():
            ApiKey.objects.filter(pk=key_id).update(
                touched=_merged(found[key_id].touched, use.touched),
                use_written_at=Now(),
                **_last_use(found[key_id], use),
            )
    return len(taken)


def keep_writing_key_uses() -> None:
    """Write down what is noted now and again, for as long as this process lives."""
    keep_writing(write_key_uses, what="uses of keys", every_seconds=KEY_USE_ROUND_SECONDS, logger=logger)


def forget_key_uses() -> None:
    """Drop what is noted and not written."""
    with _lock:
        _uses.clear()


def _last_use(known: ApiKey, use: _Use) -> dict[str, Any]:
    """Return the fields of the last use, if it was this one: another process may have written down a later one."""
    at = _moment(use.at)
    if known.last_used_at is not None and known.last_used_at >= at:
        return {}
    return {
        "last_used_at": at,
        "last_used_address": use.visitor.address,
        "last_used_agent": use.visitor.user_agent,
    }


def _merged(known: list[dict[str, Any]], touched: dict[_Place, float]) -> list[dict[str, Any]]:
    """Return the streams and groups touched last, the newest first, each once."""
    all_of_them = {(str(each["stream"]), str(each["group"] or "")): str(each["at"]) for each in known}
    for place, at in touched.items():
        all_of_them[place] = max(all_of_them.get(place, ""), _moment(at).strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
    newest = sorted(all_of_them.items(), key=lambda item: item[1], reverse=True)[:TOUCHED_KEPT]
    return [{"stream": stream, "group": group or None, "at": at} for (stream, group), at in newest]


def _moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, tz=UTC)
