"""One commit: the statements that store what several requests want stored."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

import psycopg

from accounts.conf import IDEMPOTENCY_TTL_SECONDS
from accounts.errors import IdempotencyInProgress, IdempotencyKeyReused
from accounts.idempotency import pack_body, unpack_body
from streams.conf import MAX_PARTITIONS
from streams.connections import Scissors, connect, has_own_number, shares_sessions
from streams.errors import AppendNotStored, AppendOutcomeUnknown, HeadMoved, StreamRecreated
from streams.log.arrays import Bigints, adapters
from streams.log.lanes import Lane
from streams.log.pending import PendingAppend, lanes_for
from streams.log.protocol import Appended, LogHealth
from streams.log.refusals import POOLED, health_of
from streams.log.remembering import ID_CONSTRAINT, find_earlier, remember, streams_with_ids
from streams.log.statements import statements
from streams.log.trust import Trust

# How long a commit waits for a row that another transaction holds, ...
LOCK_TIMEOUT: Final = "1s"
# ... and how long when each request is tried alone because one of them may be the one that waits.
ALONE_LOCK_TIMEOUT: Final = "200ms"
# Below the time that requests wait: the server gives up first, and then the outcome is known.
STATEMENT_TIMEOUT: Final = "8s"
UNDER_WAY: Final = "The first request with this key has not ended. Retry in a moment."
KEY_REUSED: Final = "Use a new key for a new request; nothing was stored."
# Some id was stored before, and we had not looked, or another process was quicker: then we look, and try again.
_TRIES: Final = 5


class PartitionsMissing(Exception):
    """Some partitions do not exist, or events for them were placed among too few; nothing was stored."""

    def __init__(self, ids: set[int]) -> None:
        super().__init__(f"no partitions {sorted(ids)}")
        self.ids = ids


class NotDurable(Exception):
    """The server would answer a commit before it is on disk."""


class ClaimWaits(Exception):
    """Another transaction is working on one of the idempotency keys."""


class CommitSession:
    """The flusher's connection. Not for more than one thread.

    Attributes:
        may_have_committed: the statement that commits was sent and its answer has not been seen. An error
            that comes while it is False means that nothing was stored.
    """

    def __init__(self) -> None:
        self.connection = connect(
            "append",
            f"lock_timeout={LOCK_TIMEOUT}",
            f"statement_timeout={STATEMENT_TIMEOUT}",
            # Two appends to one partition follow each other; stricter levels would fail the second.
            "default_transaction_isolation=read\\ committed",
            adapters=adapters,
        )
        self._scissors = Scissors(self.connection)
        self._run = statements.on(self.connection).rows
        self._trust = Trust()
        self.may_have_committed = False
        # Before anything is prepared.
        if not has_own_number(self.connection) and shares_sessions(partial(connect, "probe")):
            # What was set here is not what the next commit finds.
            self.close()
            raise NotDurable(POOLED)
        _, _, synchronous_commit, *_ = self._run("health")[0]
        if synchronous_commit not in {"on", "remote_apply"}:
            self.close()
            raise NotDurable(f"synchronous_commit is {synchronous_commit}")

    def health(self) -> LogHealth:
        """Ask the server whether it can store anything, and keep it."""
        return health_of(self._run("health")[0])

    def close(self) -> None:
        self._scissors.close()
        self.connection.close()

    def cut(self) -> None:
        """Break the connection, for whichever thread waits on it; not once it is closed."""
        self._scissors.cut()

    def set_lock_timeout(self, timeout: str) -> None:
        self._run("set_lock_timeout", timeout=timeout)

    def store(self, requests: Sequence[PendingAppend]) -> tuple[Mapping[int, int], Mapping[PendingAppend, Any]]:
        """Store all requests in one transaction, all or nothing.

        Returns the new head of each partition, and for the requests with a receipt what to answer:
        an `Appended` or the error that refuses this one. The other requests have their ranges.

        Raises:
            PartitionsMissing: nothing was stored.
            ClaimWaits: nothing was stored.
            psycopg.Error: nothing was stored, unless `may_have_committed`.
        """
        self.may_have_committed = False
        for _ in range(_TRIES):
            try:
                lanes, answers = self._store(requests)
            except psycopg.errors.UniqueViolation as error:
                if error.diag.constraint_name != ID_CONSTRAINT:
                    raise
                self.may_have_committed = False
                self.roll_back()
                self._trust.distrust(streams_with_ids(requests))
            else:
                self.may_have_committed = False
                return {lane.partition_id: lane.head_offset for lane in lanes.values()}, answers
        raise AppendNotStored("Others store events with the same ids at this moment. Nothing was stored; retry.")

    def roll_back(self) -> None:
        """End a transaction that failed, if there is one."""
        if not self.connection.closed and self.connection.info.transaction_status:
            self._run("roll_back")

    def _store(self, requests: Sequence[PendingAppend]) -> tuple[dict[int, Lane], dict[PendingAppend, Any]]:
        if not any(request.wants_more for request in requests):
            lanes, _ = lanes_for(requests)
            # The one statement is the transaction.
            self.may_have_committed = True
            self._append(lanes)
            return lanes, {}
        self._run("begin")
        receipts = [request for request in requests if request.receipt is not None]
        # The keys first, then the partitions: the same order in every process, so none waits in a circle.
        answers = self._claim(receipts) if receipts else {}
        placed = [request for request in requests if request not in answers]
        heads = self._hold_heads(placed)
        lanes, refused = lanes_for(placed, earlier=find_earlier(self._run, placed, self._trust), heads=heads)
        answers |= refused
        if lanes:
            self._append(lanes)
            self._note_timed(list(lanes.values()))
            remember(self._run, list(lanes.values()))
        self._keep_receipts(receipts, answers)
        self.may_have_committed = True
        self._run("commit")
        return lanes, answers

    def _hold_heads(self, requests: Sequence[PendingAppend]) -> dict[int, int]:
        """Hold all partitions of these requests, if any of them expects a head, and return their heads."""
        if not any(request.expects_head for request in requests):
            return {}
        appends = [append for request in requests for append in request.appends]
        held = self._run("hold_heads", partition_ids=Bigints({append.partition.id for append in appends}))
        least = {partition_id: least_placed_among for partition_id, _, least_placed_among in held}
        # A head is looked at only where the events belong by now.
        missing = {
            append.partition.id
            for append in appends
            if append.placed_among < least.get(append.partition.id, MAX_PARTITIONS + 1)
        }
        if missing:
            raise PartitionsMissing(missing)
        return {partition_id: head_offset for partition_id, head_offset, _ in held}

    def _keep_receipts(self, receipts: Sequence[PendingAppend], answers: dict[PendingAppend, Any]) -> None:
        """Keep what is answered to those that were stored now, and add it to the answers; free other keys."""
        stored = []
        freed = []
        for request in receipts:
            if request.receipt is None:
                continue
            if isinstance(answers.get(request), HeadMoved):
                freed.append(request.receipt)
            elif request not in answers:
                ranges = request.ranges()
                body = request.receipt.render(ranges)
                answers[request] = Appended(ranges=ranges, body=body)
                stored.append((request.receipt, body, f"{{{','.join(str(each.partition.id) for each in ranges)}}}"))
        if stored:
            self._run(
                "store_receipts",
                callers=[receipt.caller for receipt, _, _ in stored],
                keys=[receipt.key for receipt, _, _ in stored],
                bodies=[pack_body(body) for _, body, _ in stored],
                partition_ids=[partition_ids for _, _, partition_ids in stored],
            )
        if freed:
            self._run("free_receipts", callers=[each.caller for each in freed], keys=[each.key for each in freed])

    def _claim(self, requests: Sequence[PendingAppend]) -> dict[PendingAppend, Any]:
        """Claim the keys and return the answers of those requests whose key was used before."""
        by_key = {(r.receipt.caller, r.receipt.key): r for r in requests if r.receipt is not None}
        held = self._hold_claims({pair: r for pair, r in by_key.items() if r.receipt and r.receipt.is_claimed})
        ordered = sorted(pair for pair, r in by_key.items() if r.receipt and not r.receipt.is_claimed)
        return held | self._claim_anew(by_key, ordered) if ordered else held

    def _hold_claims(self, by_key: Mapping[tuple[str, str], PendingAppend]) -> dict[PendingAppend, Any]:
        """Hold keys that were claimed before, and return the answers of those that somebody else has completed."""
        if not by_key:
            return {}
        keys = {"callers": [caller for caller, _ in by_key], "keys": [key for _, key in by_key]}
        try:
            statuses = {(caller, key): (status, body) for caller, key, status, body in self._run("hold_claims", **keys)}
        except psycopg.errors.LockNotAvailable as error:
            raise ClaimWaits from error
        self._run("end_unfinished", **keys)
        answers: dict[PendingAppend, Any] = {}
        for pair, request in by_key.items():
            if pair not in statuses:
                answers[request] = AppendOutcomeUnknown()
            elif (body := statuses[pair][1]) is not None:
                answers[request] = Appended(ranges=(), body=unpack_body(bytes(body)), is_replay=True)
        return answers

    def _claim_anew(
        self, by_key: Mapping[tuple[str, str], PendingAppend], ordered: Sequence[tuple[str, str]]
    ) -> dict[PendingAppend, Any]:
        try:
            claimed = self._run(
                "claim_receipts",
                callers=[caller for caller, _ in ordered],
                keys=[key for _, key in ordered],
                request_hashes=[by_key[pair].request_hash for pair in ordered],
                ttl_seconds=IDEMPOTENCY_TTL_SECONDS,
            )
        except psycopg.errors.LockNotAvailable as error:
            raise ClaimWaits from error
        used = sorted(set(ordered) - {(caller, key) for caller, key in claimed})
        if not used:
            return {}
        answered = self._run("find_receipts", callers=[caller for caller, _ in used], keys=[key for _, key in used])
        answers: dict[PendingAppend, Any] = {}
        for caller, key, request_hash, status, body, is_still_there in answered:
            request = by_key[caller, key]
            if bytes(request_hash) != request.request_hash:
                answers[request] = IdempotencyKeyReused(KEY_REUSED)
            elif status is None or body is None:
                # The stream was in another engine when it was tried first.
                answers[request] = IdempotencyInProgress(UNDER_WAY)
            elif not is_still_there:
                answers[request] = StreamRecreated()
            else:
                answers[request] = Appended(ranges=(), body=unpack_body(bytes(body)), is_replay=True)
        return answers

    def _append(self, lanes: Mapping[int, Lane]) -> None:
        """Store the lanes and tell each where its events went."""
        ids: list[int] = []
        distances: list[int] = []
        for lane in lanes.values():
            ids += [lane.partition_id] * len(lane.batches)
            distances += lane.distances()
        batches = [batch for lane in lanes.values() for batch in lane.batches]
        rows = self._run(
            "append",
            partition_ids=Bigints(lanes),
            event_counts=Bigints(lane.event_count for lane in lanes.values()),
            stored_bytes=Bigints(sum(len(b.records) for b in lane.batches) for lane in lanes.values()),
            appended_bytes=Bigints(sum(b.record_bytes for b in lane.batches) for lane in lanes.values()),
            placed_among=Bigints(lane.placed_among for lane in lanes.values()),
            batch_partition_ids=Bigints(ids),
            distances=Bigints(distances),
            batch_event_counts=Bigints(batch.event_count for batch in batches),
            codecs=Bigints(batch.codec for batch in batches),
            records=[batch.records for batch in batches],
        )
        missing = set(lanes) - {row[0] for row in rows}
        if missing:
            raise PartitionsMissing(missing)
        for partition_id, head_offset, recorded_at in rows:
            lanes[partition_id].head_offset = head_offset
            lanes[partition_id].recorded_at = recorded_at

    def _note_timed(self, lanes: Sequence[Lane]) -> None:
        """Note how far the stored lanes bring events that are for later or expire."""
        timed = [lane for lane in lanes if lane.timed_count]
        if timed:
            self._run(
                "note_timed",
                partition_ids=Bigints(lane.partition_id for lane in timed),
                offsets=Bigints(lane.offset_of(lane.timed_count - 1) for lane in timed),
            )
