"""Appends what was published: exactly once, in order for each key, whatever dies on the way.

A request is written down with its events before it is sent, and its name is the Idempotency-Key. Whoever comes after a
relay that died between the append and its own commit sends the same bytes under the same name, and is answered as the
first time.
"""

import logging
import random
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from eventflow_client import EventFlow, EventFlowError

from .batches import fill, form_batches
from .conf import Configuration, configuration
from .models import OutboxBatch, OutboxEvent
from .refusals import Again, Refused, meaning_of
from .times import for_rows, now, with_zone

_log = logging.getLogger("eventflow_django")
# The server remembers keys for 24 hours. After that, nobody can tell whether an attempt had stored a request.
_REMEMBERED: Final = timedelta(hours=23)
_FIRST_PAUSE_SECONDS: Final = 0.5
_NOBODY_KNOWS: Final = (
    "Nobody knows whether it is stored: an attempt of {since:%Y-%m-%d %H:%M} UTC got no answer, and the server has"
    " forgotten it meanwhile. Look for the id in the stream; then discard it here, or let it be sent again."
)


class Sent(NamedTuple):
    """
    Attributes:
        stored: how many events are known to be stored since.
        has_parted: a request was ended without being stored, and what is left of it may be due at once.
    """

    stored: int
    has_parted: bool = False


def relay_once(client: EventFlow) -> int:
    """Send what is due, one request for each stream; return how many events are known to be stored since."""
    return send_due(client).stored


def send_due(client: EventFlow) -> Sent:
    """Send what is due, one request for each stream.

    Safe to run in several processes at once: a stream's request is sent by one of them at a time.
    """
    conf = configuration()
    form_batches(conf)
    due = OutboxBatch.objects.using(conf.database).filter(Q(next_attempt_at=None) | Q(next_attempt_at__lte=now()))
    sent = [_send(pk, client, conf) for pk in due.order_by("made_at").values_list("pk", flat=True)]
    return Sent(sum(each.stored for each in sent), any(each.has_parted for each in sent))


def _send(pk: UUID, client: EventFlow, conf: Configuration) -> Sent:
    attempt = _announce(pk, conf)
    if attempt is None:
        return Sent(0)
    # The lock goes with whoever holds it, so that a relay that was killed leaves its stream to others at once.
    with transaction.atomic(using=conf.database):
        batch = _locked(pk, conf)
        if batch is None or batch.attempt_count != attempt.number:
            # Another relay came in between.
            return Sent(0)
        events = list(OutboxEvent.objects.using(conf.database).filter(batch=batch).order_by("id"))
        since = batch.uncertain_since and with_zone(batch.uncertain_since)
        if since and since < datetime.now(UTC) - _REMEMBERED:
            reason = _NOBODY_KNOWS.format(since=since.astimezone(UTC))
            _part(batch, events, dict.fromkeys(range(len(events)), reason), conf)
            return Sent(0, has_parted=True)
        try:
            client.send_encoded([event.body.encode() for event in events], idempotency_key=str(batch.pk))
        except EventFlowError as error:
            _log.warning("sending %d events to %s failed: %s", len(events), batch.stream, error)
            return Sent(0, has_parted=_follow(batch, events, error, attempt, conf))
        OutboxEvent.objects.using(conf.database).filter(batch=batch).delete()
        batch.delete(using=conf.database)
        return Sent(len(events))


class _Attempt(NamedTuple):
    """
    Attributes:
        was_certain: before it, the request was certainly not stored.
    """

    number: int
    was_certain: bool


def _announce(pk: UUID, conf: Configuration) -> _Attempt | None:
    """Write down, and commit, that an attempt is made; None: somebody else has the request in hand."""
    with transaction.atomic(using=conf.database):
        batch = _locked(pk, conf)
        if batch is None:
            return None
        attempt = _Attempt(batch.attempt_count + 1, batch.uncertain_since is None)
        batch.attempt_count = attempt.number
        batch.uncertain_since = batch.uncertain_since or now()
        batch.save(using=conf.database, update_fields=["attempt_count", "uncertain_since"])
        return attempt


def _locked(pk: UUID, conf: Configuration) -> OutboxBatch | None:
    connection = transaction.get_connection(conf.database)
    batches = OutboxBatch.objects.using(conf.database)
    return (
        batches.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
        .filter(pk=pk)
        .first()
    )


def _follow(
    batch: OutboxBatch, events: list[OutboxEvent], error: EventFlowError, attempt: _Attempt, conf: Configuration
) -> bool:
    """Do what the error asks for; return whether the request has ended by that."""
    meaning = meaning_of(error, len(events))
    if isinstance(meaning, Again):
        pause = min(conf.longest_pause_seconds, _FIRST_PAUSE_SECONDS * 2.0 ** min(attempt.number - 1, 20))
        pause = max(pause * random.uniform(0.5, 1.0), meaning.retry_after or 0.0)  # noqa: S311 - nobody gains by it
        batch.next_attempt_at = for_rows(datetime.now(UTC) + timedelta(seconds=pause))
        batch.last_error = str(error)
        if attempt.was_certain and not meaning.may_be_stored:
            batch.uncertain_since = None
        batch.save(using=conf.database)
        return False
    if isinstance(meaning, Refused):
        _part(batch, events, meaning.reasons, conf)
    else:
        _part(batch, events, {}, conf)
        smaller = OutboxBatch.objects.using(conf.database).create(stream=batch.stream)
        fill(smaller, [event.pk for event in events[: len(events) // 2]], conf.database)
    return True


def _part(batch: OutboxBatch, events: list[OutboxEvent], reasons: dict[int, str], conf: Configuration) -> None:
    """End a request: those with a reason have failed, the others wait for another request."""
    failed_at = now()
    for place, event in enumerate(events):
        event.batch = None
        if place in reasons:
            event.failed_at, event.error = failed_at, reasons[place]
    OutboxEvent.objects.using(conf.database).bulk_update(events, ["batch", "failed_at", "error"])
    batch.delete(using=conf.database)
