"""A toy EventFlow: the meaning of the API in memory, true to its promises unless it is given flaws.

It is no model of the product's insides. It exists so that the checker can be seen to find what it must, and to keep
still where nothing is wrong.
"""

import itertools
import random
from collections.abc import Iterable
from typing import Any

from tests.faults.actors.producers import FLAWS as REFUSED_FORMS
from tests.faults.ask import Ask, Reply
from tests.faults.contract import DURABLE, REFUSED, UNKNOWN
from tests.faults.history import LeaseRow
from tests.faults.toy.deliveries import ToyDeliveries
from tests.faults.toy.delivery import ToyDelivery
from tests.faults.toy.flaws import Flaws
from tests.faults.toy.log import ToyLog
from tests.faults.world import World


class Toy:
    """Answers asks. All times are the one clock that the simulation keeps."""

    def __init__(self, world: World, seed: int, flaws: Iterable[str] = ()) -> None:
        self.world = world
        self.flaws = Flaws(flaws, random.Random(seed))
        self.log = ToyLog(world, self.flaws)
        self.committed = {
            group.name: dict.fromkeys(self._numbers(group.stream), 0) for group in world.of_mode("offset")
        }
        self.deliveries = {
            group.name: ToyDeliveries(group, self.log, self.flaws, self._give_up, self._finish_redrive)
            for group in world.of_mode("lease")
        }
        self.letters: dict[int, dict[str, Any]] = {}
        self._letter_ids = itertools.count(1)
        self.answers: dict[str, Reply] = {}

    def _numbers(self, stream: str) -> range:
        return range(self.world.stream(stream).partitions)

    def answer(self, ask: Ask, now: float, *, is_last_look: bool = True) -> Reply | None:
        """Answer, or return None where a wait finds nothing yet."""
        key = ask.sent.get("key") if ask.kind in ("redrive", "discard") else None
        if key in self.answers:
            return self.answers[key]
        reply: Reply | None = getattr(self, f"_{ask.kind}")(ask, now)
        if key and reply is not None and reply.is_durable:
            self.answers[key] = reply
        if ask.kind in ("poll", "lease") and ask.sent["wait"] and reply is not None and not is_last_look:
            is_something = any(reply.got.get(name) for name in ("runs", "gaps", "deliveries"))
            return reply if is_something else None
        return reply

    # --- log -----------------------------------------------------------------------------------------

    def _append(self, ask: Ask, now: float) -> Reply:
        flaw = ask.sent.get("flaw")
        assert flaw is None or flaw in REFUSED_FORMS
        if flaw in ("too many", "too long") and self.flaws.strikes("takes what is too large"):
            flaw = None
        if flaw:
            if self.flaws.strikes("stores what it refused", chance=0.5):
                self.log.append(ask, now)
            return Reply(413 if flaw == "too long" else 422, REFUSED)
        if ask.sent["count"] > 1 and self.flaws.strikes("tears batches", chance=0.02):
            self.log.tear(ask, now)
            return Reply(500, UNKNOWN)
        return Reply(202, DURABLE, self.log.append(ask, now))

    def _poll(self, ask: Ask, now: float) -> Reply:
        if ask.sent["after"] == "committed":
            skip = 1 if self.flaws.strikes("skips events of a group", chance=0.05) else 0
            after = {number: offset + skip for number, offset in self.committed[ask.group].items()}
        else:
            after = {int(number): offset for number, offset in ask.sent["after"].items()}
        return Reply(200, DURABLE, self.log.read(ask, after))

    # --- offset mode ---------------------------------------------------------------------------------

    def _commit(self, ask: Ask, now: float) -> Reply:
        standing = self.committed[ask.group]
        wanted = {int(number): offset for number, offset in ask.sent["offsets"].items()}
        heads = {number: partition.head for number, partition in self.log.of(ask.stream).items()}
        is_beyond = any(offset > heads[number] for number, offset in wanted.items())
        if is_beyond and not self.flaws.strikes("commits beyond the head"):
            return Reply(422, REFUSED)
        for number, offset in wanted.items():
            if self.flaws.strikes("lets commits go back"):
                standing[number] = offset
            standing[number] = max(standing[number], min(offset, heads[number]))
            if self.flaws.strikes("commits further than asked", chance=0.1):
                standing[number] = min(standing[number] + 2, heads[number])
        status = {
            str(number): "committed" if standing[number] == offset else "outdated" for number, offset in wanted.items()
        }
        return Reply(200, DURABLE, {"standing": {str(n): standing[n] for n in wanted}, "status": status})

    def _offsets(self, ask: Ask, now: float) -> Reply:
        if ask.group in self.committed:
            committed = {str(number): offset for number, offset in self.committed[ask.group].items()}
        else:
            committed = self.deliveries[ask.group].committed()
        heads = {str(number): partition.head for number, partition in self.log.of(ask.stream).items()}
        return Reply(200, DURABLE, {"committed": committed, "head": heads})

    def _report(self, ask: Ask, now: float) -> Reply:
        place = (ask.group, ask.sent["partition"], ask.sent["offset"])
        for letter in self.letters.values():
            if (letter["group"], letter["partition"], letter["offset"]) == place:
                return Reply(200, DURABLE, {"letter": letter["id"]})
        alone = ToyDelivery(place[1], place[2], place[2], failures=1)
        return Reply(201, DURABLE, {"letter": self._write(ask.stream, ask.group, alone, "reported")})

    # --- lease mode ----------------------------------------------------------------------------------

    def _lease(self, ask: Ask, now: float) -> Reply:
        group = self.deliveries[ask.group]
        leased = group.lease(ask.sent, now)
        given = [
            (each["partition"], offset, name)
            for each in leased
            for offset, name in enumerate(each["names"].split(), each["first"])
        ]
        return Reply(200, DURABLE, {"deliveries": leased, "gaps": [], "recorded": self.log.recorded_of(given)})

    def _settle(self, ask: Ask, now: float) -> Reply:
        results, repeated = self.deliveries[ask.group].settle(ask.kind, ask.sent, now)
        got = {"results": results, "repeated": repeated}
        return Reply(409, REFUSED, got) if set(results.values()) == {"lease_lost"} else Reply(200, DURABLE, got)

    _ack = _nack = _extend = _release = _settle

    def _deliveries(self, ask: Ask, now: float) -> Reply:
        group = self.deliveries[ask.group]
        return Reply(200, DURABLE, {"count": len(group.leased) + len(group.waiting)})

    # --- dead letters --------------------------------------------------------------------------------

    def _give_up(self, group: ToyDeliveries, alone: ToyDelivery, now: float, reason: str) -> None:
        if alone.letter is not None:
            self.letters[alone.letter]["redrives"][-1]["outcome"] = "dead_again"
        self._write(group.plan.stream, group.plan.name, alone, reason)
        if self.flaws.strikes("writes letters twice", chance=0.3):
            self._write(group.plan.stream, group.plan.name, alone, reason)

    def _write(self, stream: str, group: str, alone: ToyDelivery, reason: str) -> int:
        number = next(self._letter_ids)
        self.letters[number] = {
            "id": number,
            "stream": stream,
            "group": group,
            "partition": alone.partition,
            "offset": alone.first,
            "round": alone.round,
            "status": "open",
            "reason": reason,
            "count": alone.count,
            "failures": alone.failures,
            "redrives": [],
            "attempts": alone.count,
            "name": alone.edited.rstrip("!") or self.log.partitions[stream, alone.partition].at(alone.first),
        }
        return number

    def _finish_redrive(self, letter: int) -> None:
        self.letters[letter]["status"] = "resolved"
        self.letters[letter]["redrives"][-1]["outcome"] = "acked"

    def _letters(self, ask: Ask, now: float) -> Reply:
        wanted = [letter for letter in self.letters.values() if ask.sent.get("status") in (None, letter["status"])]
        told = ("id", "stream", "group", "partition", "offset", "round", "status")
        listed = [{name: each[name] for name in told} for each in reversed(wanted) if ask.group in ("", each["group"])]
        return Reply(200, DURABLE, {"letters": listed, "next": None})

    def _letter(self, ask: Ask, now: float) -> Reply:
        return Reply(200, DURABLE, {**self.letters[ask.sent["letter"]]})

    def _redrive(self, ask: Ask, now: float) -> Reply:
        letter = self.letters[ask.sent["letter"]]
        is_again = letter["status"] == "redriven" and self.flaws.strikes("redrives twice")
        if letter["status"] != "open" and not is_again:
            return Reply(409, REFUSED)
        letter["status"] = "redriven"
        same = [each for each in self.letters.values() if each["group"] == letter["group"]]
        here = [each for each in same if (each["partition"], each["offset"]) == (letter["partition"], letter["offset"])]
        number = 1 + max(max(each["round"], *(r["round"] for r in each["redrives"]), 0) for each in here)
        letter["redrives"].append({"round": number, "outcome": "pending"})
        again = ToyDelivery(letter["partition"], letter["offset"], letter["offset"], round=number, letter=letter["id"])
        again.available = now
        again.edited = f"{letter['name']}!" if ask.sent.get("edited") else ""
        self.deliveries[ask.group].waiting.append(again)
        return Reply(202, DURABLE)

    def _discard(self, ask: Ask, now: float) -> Reply:
        letter = self.letters[ask.sent["letter"]]
        if letter["status"] != "open":
            return Reply(409, REFUSED)
        letter["status"] = "discarded"
        return Reply(200, DURABLE)

    # --- the rest ------------------------------------------------------------------------------------

    def _healthz(self, ask: Ask, now: float) -> Reply:
        return Reply(200, DURABLE)

    def _readyz(self, ask: Ask, now: float) -> Reply:
        return Reply(200, DURABLE)

    def trim(self) -> None:
        self.log.trim()
        if self.flaws.strikes("lets retention take letters"):
            for letter in list(self.letters.values()):
                if letter["offset"] < self.log.partitions[letter["stream"], letter["partition"]].kept_from:
                    del self.letters[letter["id"]]

    def crash(self, now: float) -> None:
        self.log.crash(now)

    def tick(self, now: float) -> None:
        for group in self.deliveries.values():
            group.expire(now)

    def rows(self) -> list[LeaseRow]:
        return [row for group in self.deliveries.values() for row in group.rows]
