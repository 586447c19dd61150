"""Which events go together: made and written down before anything is sent, so that every attempt is the same."""

from collections.abc import Iterator, Sequence

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet

from .conf import Configuration
from .models import OutboxBatch, OutboxEvent


def sendable(database: str) -> QuerySet[OutboxEvent]:
    """Return what waits for no other event. Behind one that failed, those of its key wait."""
    events = OutboxEvent.objects.using(database)
    failed_before = events.filter(
        stream=OuterRef("stream"), key=OuterRef("key"), failed_at__isnull=False, id__lt=OuterRef("id")
    )
    return events.filter(~Exists(failed_before), batch=None, failed_at=None)


def waiting_streams(database: str) -> Iterator[str]:
    """Yield each stream that has something to send: one step along the index for each, however much waits."""
    waiting = sendable(database).order_by("stream").values_list("stream", flat=True)
    stream = waiting.first()
    while stream is not None:
        yield stream
        stream = waiting.filter(stream__gt=stream).first()


def form_batches(conf: Configuration) -> None:
    """Give each stream that has something to send, and no request under way, a request."""
    busy = set(OutboxBatch.objects.using(conf.database).values_list("stream", flat=True))
    for stream in waiting_streams(conf.database):
        if stream in busy:
            continue
        try:
            with transaction.atomic(using=conf.database):
                batch = OutboxBatch.objects.using(conf.database).create(stream=stream)
                # Looked for now: before, another relay may have been about to send them.
                waiting = sendable(conf.database).filter(stream=stream).order_by("id")[: conf.batch_events]
                if ids := _fitting(waiting, conf.batch_bytes):
                    fill(batch, ids, conf.database)
                else:
                    batch.delete(using=conf.database)
        except IntegrityError:
            # Another relay has made the stream's request.
            continue


def fill(batch: OutboxBatch, ids: Sequence[int], database: str) -> None:
    """Let the events go with the batch."""
    OutboxEvent.objects.using(database).filter(pk__in=ids).update(batch=batch)


def _fitting(events: QuerySet[OutboxEvent], most_bytes: int) -> list[int]:
    ids: list[int] = []
    size = 0
    for pk, body in events.values_list("pk", "body").iterator(chunk_size=50):
        size += len(body.encode()) + 1
        if ids and size > most_bytes:
            break
        ids.append(pk)
    return ids
