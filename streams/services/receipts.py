"""Receipts of appends to engines that keep none: claimed before the events are sent, completed after.

    (new) -- claim --> PENDING -- all stored --> ANSWERED
                         | certainly nothing stored: the key is free again
                         | nobody knows, or the process died: stays PENDING, and after PENDING_SECONDS a retry takes it
                         v over: it looks for what is there, sends the rest, and completes it

The claim is committed on its own, with the heads that were last seen of the partitions: never above the truth, so
what the first try stored lies behind them. A stream may move meanwhile: what its tries have stored is looked for
wherever its partitions lay, and if they lie in PostgreSQL by then, the receipt is completed with the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from time import monotonic
from uuid import UUID, uuid4

from django.db import Error, transaction

from accounts.database_clock import database_time
from accounts.database_threads import in_database_thread
from accounts.errors import DomainError, IdempotencyInProgress
from accounts.models import IdempotencyRecord
from accounts.services.idempotency import Replay, claim_idempotency_key, keep_answer
from streams.conf import PENDING_SECONDS, SEND_WITHIN_SECONDS
from streams.errors import AppendOutcomeUnknown, LogUnavailable, StreamRecreated
from streams.log import get_routed_log
from streams.log.protocol import Appended, PartitionAppend, Receipt
from streams.models import Partition, UnfinishedAppend

_LATE = "It took too long until the events could be sent. Nobody knows whether they were stored before; retry."


@dataclass(frozen=True, slots=True)
class Claim:
    """A receipt that is ours to complete.

    Attributes:
        since: heads by partition id, of an earlier try; None: this is the first.
        tried_at: nobody else has taken it over while this stands in its row. By the database's clock: whoever would
            take it over may have another one.
        claimed_at: by the monotonic clock.
    """

    tag: UUID
    since: dict[int, int] | None
    tried_at: datetime
    claimed_at: float


class ClaimedTime:
    """`SendingTime` of a claim."""

    def __init__(self, receipt: Receipt, claim: Claim) -> None:
        self._receipt = receipt
        self._tried_at = claim.tried_at
        self.until = claim.claimed_at + SEND_WITHIN_SECONDS

    async def renew(self) -> None:
        began = monotonic()
        try:
            tried_at = await in_database_thread(partial(_claim_again, self._receipt, self._tried_at))
        except Error as error:
            raise AppendOutcomeUnknown from error
        if tried_at is None:
            raise AppendOutcomeUnknown(_LATE)
        self._tried_at, self.until = tried_at, began + SEND_WITHIN_SECONDS


async def append_once(appends: Sequence[PartitionAppend], receipt: Receipt) -> Appended:
    """Append to partitions of one engine that keeps no receipts, once for each receipt, however often it is tried.

    Raises:
        IdempotencyInProgress: another try is under way, or was, less than PENDING_SECONDS ago.
        and whatever `Log.append` raises
    """
    started = monotonic()
    claim = await in_database_thread(partial(_claim, appends, receipt, started))
    if isinstance(claim, Replay):
        return Appended((), claim.body, is_replay=True)
    if monotonic() - claim.claimed_at > SEND_WITHIN_SECONDS:
        # Somebody may take it over before these events arrive.
        raise AppendOutcomeUnknown(_LATE)
    try:
        appended = await get_routed_log().append_tagged_async(
            appends,
            tag=claim.tag.bytes,
            since=claim.since,
            receipt=receipt,
            sending_time=ClaimedTime(receipt, claim),
        )
    except AppendOutcomeUnknown:
        raise
    except LogUnavailable as error:
        if claim.since is not None:
            raise AppendOutcomeUnknown(
                f"The engine {error.alias} cannot be asked whether the first try was stored. Retry with the same key."
            ) from error
        await in_database_thread(partial(_free, receipt))
        raise
    except DomainError:
        # Certainly nothing was stored. Of what fails in another way nobody knows that: the key stays pending.
        await in_database_thread(partial(_free, receipt))
        raise
    if appended.body is not None:
        # The stream has moved to where the receipt is completed with the events.
        return appended
    body = receipt.render(appended.ranges)
    try:
        await in_database_thread(partial(_complete, appends, receipt, body))
    except Error as error:
        # They are stored; but whoever retries has to be told so, and nothing says it yet.
        raise AppendOutcomeUnknown from error
    return Appended(appended.ranges, body)


def _claim(appends: Sequence[PartitionAppend], receipt: Receipt, started: float) -> Claim | Replay:
    caller, key = receipt.caller, receipt.key
    try:
        with transaction.atomic():
            replay = claim_idempotency_key(caller=caller, key=key, request_hash=receipt.request_hash)
            if replay is None:
                return _begin(appends, receipt, started)
    except IdempotencyInProgress:
        claim = _take_over(receipt, started)
        if claim is None:
            raise
        return claim
    _refuse_recreated(caller, key)
    return replay


def _begin(appends: Sequence[PartitionAppend], receipt: Receipt, started: float) -> Claim:
    ids = {append.partition.id for append in appends}
    heads = dict(Partition.objects.filter(pk__in=ids).values_list("pk", "head_offset"))
    tag, now = uuid4(), database_time()
    UnfinishedAppend.objects.update_or_create(
        caller=receipt.caller, key=receipt.key, defaults={"tag": tag, "heads": heads, "tried_at": now}
    )
    return Claim(tag, None, now, started)


def _take_over(receipt: Receipt, started: float) -> Claim | None:
    """Take over an append that was tried long enough ago; None if it was not, or somebody else has just done so."""
    now = database_time()
    own = UnfinishedAppend.objects.filter(caller=receipt.caller, key=receipt.key)
    if not own.filter(tried_at__lt=now - timedelta(seconds=PENDING_SECONDS)).update(tried_at=now):
        return None
    unfinished = own.first()
    if unfinished is None:
        return None
    return Claim(unfinished.tag, {int(each): head for each, head in unfinished.heads.items()}, now, started)


def _claim_again(receipt: Receipt, tried_at: datetime) -> datetime | None:
    """Go on with a claim for a while; return since when, or None: it is somebody else's by now."""
    now = database_time()
    own = UnfinishedAppend.objects.filter(caller=receipt.caller, key=receipt.key, tried_at=tried_at)
    return now if own.update(tried_at=now) else None


def _refuse_recreated(caller: str, key: str) -> None:
    record = IdempotencyRecord.objects.filter(caller=caller, key=key).only("partition_ids").first()
    went_to = set(record.partition_ids or ()) if record is not None else set()
    if went_to - set(Partition.objects.filter(pk__in=went_to).values_list("pk", flat=True)):
        raise StreamRecreated


@transaction.atomic
def _complete(appends: Sequence[PartitionAppend], receipt: Receipt, body: bytes) -> None:
    own = {"caller": receipt.caller, "key": receipt.key}
    keep_answer(**own, status=202, body=body)
    IdempotencyRecord.objects.filter(**own).update(partition_ids=sorted({each.partition.id for each in appends}))
    UnfinishedAppend.objects.filter(**own).delete()


@transaction.atomic
def _free(receipt: Receipt) -> None:
    own = {"caller": receipt.caller, "key": receipt.key}
    IdempotencyRecord.objects.filter(**own, status=None).delete()
    UnfinishedAppend.objects.filter(**own).delete()


def forget_unfinished(*, older_than_seconds: float, now: datetime) -> int:
    """Delete unfinished appends whose receipts are forgotten; return how many."""
    before = now - timedelta(seconds=older_than_seconds)
    return UnfinishedAppend.objects.filter(tried_at__lt=before).delete()[0]
