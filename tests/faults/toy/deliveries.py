"""The toy's lease mode: deliveries of one group, without anything clever."""

import itertools
from collections import defaultdict
from dataclasses import replace
from typing import Any

from tests.faults.events import key_of
from tests.faults.history import LeaseRow
from tests.faults.toy.delivery import ToyDelivery, delivery_ids
from tests.faults.toy.flaws import Flaws
from tests.faults.toy.log import ToyLog, ToyPartition
from tests.faults.toy.times import ToyTimes
from tests.faults.world import GroupPlan


class ToyDeliveries:
    def __init__(self, plan: GroupPlan, log: ToyLog, flaws: Flaws, give_up: Any, finish_redrive: Any) -> None:
        self.plan, self.log, self.flaws = plan, log, flaws
        self.times = ToyTimes(log, flaws)
        self._give_up, self._finish_redrive = give_up, finish_redrive
        self.leased: dict[int, ToyDelivery] = {}
        self.waiting: list[ToyDelivery] = []
        self.dispatched: dict[int, int] = defaultdict(int)
        self.ended: dict[tuple[int, str], str] = {}
        self.rows: list[LeaseRow] = []
        self._tokens = itertools.count(1)

    # --- handing out ---------------------------------------------------------------------------------

    def lease(self, sent: dict[str, Any], now: float) -> list[dict[str, Any]]:
        self.expire(now)
        taken = self._take(sent["max"], now)
        token = f"{self.plan.name}-{next(self._tokens)}"
        for each in taken:
            each.token, each.consumer = token, sent["consumer"]
            each.leased_at, each.expires = now, now + sent["ack_wait"]
            if not (each.count and self.flaws.strikes("counts no deliveries", chance=0.3)):
                each.count += 1
            self.leased[each.id] = each
            if self.flaws.strikes("delivers twice at once", chance=0.05):
                self.waiting.append(replace(each, id=next(delivery_ids), available=now))
        return [self._described(each) for each in taken]

    def _take(self, room: int, now: float) -> list[ToyDelivery]:
        taken: list[ToyDelivery] = []
        for each in sorted(self.waiting, key=lambda each: (each.available, each.first)):
            size = each.last - each.first + 1
            if each.available <= now and (size <= room or not taken) and self._is_in_order(each, taken):
                self.waiting.remove(each)
                taken.append(each)
                room -= size
        for number, partition in self.log.of(self.plan.stream).items():
            self._pass_by(number, partition, taken, now)
            if self.plan.ordering == "key":
                room -= self._take_by_key(number, partition, room, taken, now)
                continue
            first, last = self.dispatched[number] + 1, min(partition.head, self.dispatched[number] + room)
            last = next((n - 1 for n in range(first, last + 1) if not self._is_for_now(partition.at(n), now)), last)
            if first <= last and (self.plan.ordering == "none" or not self._outstanding(number, taken)):
                taken.append(ToyDelivery(number, first, last))
                self.dispatched[number] = last
                room -= last - first + 1
        return taken

    def _pass_by(self, number: int, partition: ToyPartition, taken: list[ToyDelivery], now: float) -> None:
        """Finish what the group's filter does not let through and what has expired, and let wait what is for later."""
        while self.dispatched[number] < partition.head:
            name = partition.at(self.dispatched[number] + 1)
            single = ToyDelivery(number, self.dispatched[number] + 1, self.dispatched[number] + 1)
            if self._is_given(name) and (self._is_for_now(name, now) or self._has_its_key_before_it(single, taken)):
                return
            self.dispatched[number] += 1
            if not self._is_given(name):
                continue
            if self.times.has_expired(name, now):
                self._record(single, "lapsed", now)
            elif not self.flaws.strikes("forgets what is for later", chance=0.3):
                single.available = self.times.due_at(name)
                self.waiting.append(single)

    def _is_for_now(self, name: str, now: float) -> bool:
        return self._is_given(name) and self.times.due_at(name) <= now and not self.times.has_expired(name, now)

    def _lapse(self, now: float) -> None:
        """End what has expired while it waited; a redrive does not."""
        for each in [each for each in self.waiting if each.letter is None]:
            partition = self.log.partitions[self.plan.stream, each.partition]
            offsets = range(each.first, each.last + 1)
            over = [offset for offset in offsets if self.times.has_expired(partition.at(offset), now)]
            if not over:
                continue
            self.waiting.remove(each)
            for offset in offsets:
                number = each.id if offset == each.first else next(delivery_ids)
                alone = replace(each, id=number, first=offset, last=offset)
                if offset in over:
                    self._record(alone, "lapsed", now)
                else:
                    self.waiting.append(alone)

    def _is_given(self, name: str) -> bool:
        return self.plan.is_given(name) or self.flaws.strikes("hands out what a filter passes by", chance=0.2)

    def _take_by_key(
        self, number: int, partition: ToyPartition, room: int, taken: list[ToyDelivery], now: float
    ) -> int:
        """Hand out single events until one has to wait, for its key or its time: what is behind it waits, too."""
        count = 0
        for offset in range(self.dispatched[number] + 1, min(partition.head, self.dispatched[number] + room) + 1):
            single = ToyDelivery(number, offset, offset)
            if not self._is_for_now(partition.at(offset), now) or self._has_its_key_before_it(single, taken):
                break
            taken.append(single)
            self.dispatched[number] = offset
            count += 1
        return count

    def _has_its_key_before_it(self, single: ToyDelivery, taken: list[ToyDelivery]) -> bool:
        if self.plan.ordering != "key":
            return False
        outstanding = any(self._is_of_same_key(each, single) for each in (*self._all(), *taken))
        return outstanding and not self.flaws.strikes("hands out keys side by side", chance=0.5)

    def _is_of_same_key(self, each: ToyDelivery, other: ToyDelivery) -> bool:
        return each.partition == other.partition and self._key(each) is not None and self._key(each) == self._key(other)

    def _key(self, each: ToyDelivery) -> str | None:
        return key_of(self.log.partitions[self.plan.stream, each.partition].at(each.first))

    def _is_in_order(self, wanted: ToyDelivery, taken: list[ToyDelivery]) -> bool:
        if self.plan.ordering == "key":
            return not any(self._is_of_same_key(each, wanted) for each in (*self.leased.values(), *taken))
        if self.plan.ordering == "none" or wanted.letter is not None:
            return True
        return all(each.partition != wanted.partition or each.first >= wanted.first for each in self._all())

    def _outstanding(self, number: int, taken: list[ToyDelivery]) -> bool:
        return any(each.partition == number and each.letter is None for each in (*self._all(), *taken))

    def _all(self) -> list[ToyDelivery]:
        return [*self.leased.values(), *self.waiting]

    def _described(self, each: ToyDelivery) -> dict[str, Any]:
        partition = self.log.partitions[self.plan.stream, each.partition]
        names = [each.edited] if each.edited else [partition.at(offset) for offset in range(each.first, each.last + 1)]
        told = ("id", "token", "partition", "first", "last", "count", "failures", "round", "letter", "expires")
        return {name: getattr(each, name) for name in told} | {"names": " ".join(names)}

    # --- coming back ---------------------------------------------------------------------------------

    def expire(self, now: float) -> None:
        early = 1.0 if self.flaws.strikes("expires too soon") else 0.0
        for each in [each for each in self.leased.values() if each.expires - early <= now]:
            del self.leased[each.id]
            self._record(each, "expired", now)
            if self.flaws.strikes("forgets leases of the dead", chance=0.3):
                continue
            self._fail(each, range(each.first, each.last + 1), now, delay=None, is_terminal=False)
        self._lapse(now)

    def settle(self, verb: str, sent: dict[str, Any], now: float) -> tuple[dict[str, str], list[int]]:
        """Carry out an ack, nack, release or extend; return what became of each delivery, and which it was again."""
        self.expire(now)
        results, repeated = {}, []
        word = {"ack": "acked", "nack": "nacked", "release": "released", "extend": "extended"}[verb]
        for item in sent["items"]:
            pair = (item["id"], item["token"])
            held = self.leased.get(item["id"])
            is_stale = held is None or held.token != item["token"]
            if held is not None and is_stale and verb == "ack" and self.flaws.strikes("accepts stale acks"):
                is_stale = False
            if held is None or is_stale:
                is_again = self.ended.get(pair) == word and not self.flaws.strikes("repeats acks as lost")
                results[str(item["id"])] = word if is_again else "lease_lost"
                repeated += [item["id"]] if is_again else []
                continue
            results[str(item["id"])] = word
            if verb == "extend":
                held.expires = max(held.expires, now + self.plan.ack_wait)
                continue
            self.ended[pair] = word
            del self.leased[held.id]
            self._end(verb, held, item, sent, now)
        return results, repeated

    def _end(self, verb: str, held: ToyDelivery, item: dict[str, Any], sent: dict[str, Any], now: float) -> None:
        if verb == "release":
            self._record(held, "released", now)
            self.waiting.append(replace(held, token="", available=now))
        elif verb == "nack":
            self._record(held, "nacked", now)
            self._fail(held, range(held.first, held.last + 1), now, sent.get("delay"), bool(sent.get("terminal")))
        else:
            failed = {offset: (delay, terminal) for offset, delay, terminal in item.get("failed", ())}
            for offset, (delay, is_terminal) in failed.items():
                self._fail(held, [offset], now, delay, is_terminal)
            if not failed and self.flaws.strikes("delivers what was acked", chance=0.02):
                self.waiting.append(replace(held, token="", available=now + 1))
            if not failed and held.letter is None and self.flaws.strikes("lets what was acked expire", chance=0.03):
                self._record(held, "lapsed", now)
            if not failed and held.letter is None and self.flaws.strikes("acks and gives up", chance=0.03):
                self._give_up(
                    self, replace(held, last=held.first, failures=self.plan.max_failures), now, "max_failures"
                )
            if held.letter is not None and not failed:
                self._finish_redrive(held.letter)

    def _fail(self, held: ToyDelivery, offsets: Any, now: float, delay: float | None, is_terminal: bool) -> None:
        """Each event of a range that failed goes on alone."""
        failures = held.failures + 1
        most = 1 if self.flaws.strikes("gives up too early", chance=0.2) else self.plan.max_failures
        for offset in offsets:
            # A piece that begins as the whole did keeps the id: only the token tells who holds it.
            number = held.id if offset == held.first else next(delivery_ids)
            alone = replace(held, id=number, first=offset, last=offset, token="", failures=failures)
            name = self.log.partitions[self.plan.stream, held.partition].at(offset)
            if held.letter is None and self.times.has_expired(name, now):
                self._record(alone, "lapsed", now)
                continue
            if is_terminal or failures >= most or held.count >= self.plan.max_deliveries:
                if self.flaws.strikes("gives up without a letter", chance=0.3):
                    continue
                reason = "terminal" if is_terminal else "max_failures" if failures >= most else "delivery_cap"
                self._give_up(self, alone, now, reason)
                continue
            wait = self.plan.backoff_seconds(failures) if delay is None else delay
            alone.available = now + (0 if self.flaws.strikes("knows no backoff", chance=0.3) else wait)
            self.waiting.append(alone)

    def _record(self, each: ToyDelivery, outcome: str, now: float) -> None:
        row = (self.plan.name, each.partition, each.round, each.first, each.last, outcome, each.count)
        self.rows.append(LeaseRow(*row, each.consumer, each.leased_at, now))

    def committed(self) -> dict[str, int]:
        """Per partition: everything up to there is finished."""
        standing = {}
        for number in self.log.of(self.plan.stream):
            firsts = [each.first for each in self._all() if each.partition == number and each.letter is None]
            standing[str(number)] = min(firsts) - 1 if firsts else self.dispatched[number]
        return standing
