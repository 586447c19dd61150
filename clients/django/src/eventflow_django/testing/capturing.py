"""Looks at what was published, without a relay and without a server."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import overload

import msgspec
from eventflow_client import NewEvent

from ..conf import configuration
from ..models import OutboxEvent


class CapturedEvents(Sequence[NewEvent]):
    """The events of the outbox that came after the beginning. What rolls back, and what a relay sends, is not there."""

    def __init__(self, after: int) -> None:
        self._after = after

    @overload
    def __getitem__(self, index: int) -> NewEvent: ...
    @overload
    def __getitem__(self, index: slice) -> list[NewEvent]: ...
    def __getitem__(self, index: int | slice) -> NewEvent | list[NewEvent]:
        return self._now()[index]

    def __len__(self) -> int:
        return len(self._now())

    def __repr__(self) -> str:
        return repr(self._now())

    def _now(self) -> list[NewEvent]:
        rows = OutboxEvent.objects.using(configuration().database).filter(pk__gt=self._after).order_by("pk")
        return [_published(row.body) for row in rows]


def _published(body: str) -> NewEvent:
    event = msgspec.json.decode(body)
    # What is for later says so by a time or by seconds.
    times = {name: event[name] for name in ("occurred_at", "deliver_after") if isinstance(event.get(name), str)}
    return NewEvent(**event | {name: datetime.fromisoformat(time) for name, time in times.items()})


@contextmanager
def capture_events() -> Iterator[CapturedEvents]:
    """Yield what is published from here on, as a sequence that grows; its payloads are as JSON gives them back."""
    last = OutboxEvent.objects.using(configuration().database).order_by("-pk").values_list("pk", flat=True).first()
    yield CapturedEvents(last or 0)
