"""A run against the toy in simulated time: the live run's actors, crashes and phases, in a fraction of a second."""

import heapq
import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.faults.actors.acting import Acting
from tests.faults.actors.auditor import AUDITOR, read_everything
from tests.faults.ask import Ask, Reply, Rest
from tests.faults.cast import cast_of
from tests.faults.contract import REFUSED, UNKNOWN
from tests.faults.history import Clock, Fault, History, Mark, Request
from tests.faults.stage import Act, Stage
from tests.faults.toy.server import Toy
from tests.faults.world import World

WALL = 1_700_000_000.0
_LOOK_AGAIN_SECONDS = 0.5
_NOTHING = Reply(None, UNKNOWN)


@dataclass(eq=False)
class _Waiting:
    """A request that is on its way or waits at the server."""

    ask: Ask
    name: str
    actor: Acting
    begun: float
    deadline: float
    is_over: bool = False
    # Nobody reads the answer any more.
    is_left: bool = False


class Simulation:
    """Plays one run; `run` returns its history."""

    def __init__(self, seed: int, flaws: Iterable[str] = (), *, storm_seconds: float = 20.0) -> None:
        self.world = World(seed)
        self.history = History([self.world, Clock(0.0, WALL)])
        self.stage = Stage(self.world, most_unfinished=400)
        self.toy = Toy(self.world, seed, flaws)
        self._dice = random.Random(seed)
        self._storm_seconds = storm_seconds
        self._now = 0.0
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._ids = itertools.count(1)
        self._under_way: list[_Waiting] = []
        self._is_down_until = 0.0
        self._is_without_valkey_until = 0.0

    def run(self) -> History:
        for name, actor in cast_of(self.stage).items():
            self._at(self._dice.random(), partial(self._go_on, name, actor, None))
        self._every(1.0, lambda: self.toy.tick(self._now + WALL))
        self._every(5.0, self.toy.trim)
        self._play(Act.STORM, self._storm_seconds, self._break_things)
        self._play(Act.DRAIN, 30.0)
        self._play(Act.CALM, 30.0)
        self._play(Act.DRAIN, 30.0)
        self._play(Act.OVER, 20.0)
        self._go_on(AUDITOR, read_everything(self.world), None)
        self._advance(30.0)
        self.history.records += self.toy.rows()
        return self.history

    # --- time ----------------------------------------------------------------------------------------

    def _at(self, moment: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (moment, next(self._order), act))

    def _every(self, seconds: float, act: Callable[[], None]) -> None:
        def again() -> None:
            act()
            self._at(self._now + seconds, again)

        self._at(seconds, again)

    def _advance(self, seconds: float) -> None:
        end = self._now + seconds
        while self._queue and self._queue[0][0] <= end:
            self._now, _, act = heapq.heappop(self._queue)
            act()
        self._now = end

    def _play(self, act: Act, seconds: float, before: Callable[[], None] = lambda: None) -> None:
        self.stage.act = act
        self.history.add(Mark(act.value, self._now))
        before()
        self._advance(seconds)

    # --- faults --------------------------------------------------------------------------------------

    def _break_things(self) -> None:
        # So far apart that each is over, with a margin, before the next.
        for number in range(int(self._storm_seconds / 4.6)):
            at = self._now + 3.0 + number * 4.6 + self._dice.random()
            kinds = (self._crash, self._crash, self._go_down, self._stop_valkey)
            self._at(at, partial(self._break, kinds[number % len(kinds)]))

    def _break(self, something: Callable[[], None]) -> None:
        """One thing after the other: what has not come back yet is not broken again."""
        if self._now >= self._is_down_until:
            something()

    def _crash(self) -> None:
        """Whatever was under way is cut; the service is back a moment later."""
        self.toy.crash(self._now)
        back = 20.0 if self.toy.flaws.strikes("comes back late") else 0.3
        self._is_down_until = self._now + back
        self.history.add(Fault("web_parent_killed", "", self._now, self._now, self._now + 1.0))
        for each in self._under_way:
            each.is_over = True
            self._tell(each, _NOTHING)

    def _go_down(self) -> None:
        self._is_down_until = self._now + 2.0
        self.history.add(Fault("network_down", "", self._now, self._now + 2.0, self._now + 2.5))

    def _stop_valkey(self) -> None:
        if self.toy.flaws.strikes("stops without Valkey"):
            self._is_without_valkey_until = self._now + 2.5
        self.history.add(Fault("valkey_paused", "", self._now, self._now + 2.5, self._now + 2.6))

    # --- requests ------------------------------------------------------------------------------------

    def _go_on(self, name: str, actor: Acting, reply: Any) -> None:
        try:
            step = actor.send(reply)
        except StopIteration:
            return
        if isinstance(step, Rest):
            self._at(self._now + step.seconds + 0.001, partial(self._go_on, name, actor, None))
            return
        # A moment after what came before: who asks two things in a row has them in that order.
        each = _Waiting(step, name, actor, self._now + 1e-6, self._now + step.sent.get("wait", 0))
        where, seconds = step.sent.get("vanish", ("", 0.0))
        if where == "body":
            self._at(self._now + seconds, partial(self._tell, each, Reply(None, REFUSED)))
            return
        self._under_way.append(each)
        self._at(self._now + self._dice.uniform(0.001, 0.02), partial(self._arrive, each))
        if where:
            self._at(self._now + seconds + 0.02, partial(self._tell, each, _NOTHING))

    def _arrive(self, each: _Waiting) -> None:
        """The server has the whole request, or has it again in its hands."""
        if each.is_over:
            return
        if self._is_away(each.ask):
            each.is_over = True
            self._at(self._now + 0.01, partial(self._tell, each, Reply(503, REFUSED)))
            return
        is_last = self._now >= each.deadline or self._sends_home_early(each)
        reply = self.toy.answer(each.ask, self._now + WALL, is_last_look=is_last)
        if reply is None:
            self._at(min(each.deadline, self._now + self._patience(each)), partial(self._arrive, each))
            return
        each.is_over = True
        if self.toy.flaws.strikes("answers with pages", chance=0.001):
            reply = Reply(500, UNKNOWN, {"page": "text/html"})
        self._at(self._now + self._dice.uniform(0.001, 0.02), partial(self._tell, each, reply))

    def _patience(self, each: _Waiting) -> float:
        """When a request that waits looks again."""
        never = "wakes nobody" if each.ask.kind == "poll" else "starves"
        return 1_000.0 if self.toy.flaws.strikes(never) else _LOOK_AGAIN_SECONDS

    def _sends_home_early(self, each: _Waiting) -> bool:
        return each.ask.kind == "poll" and self.toy.flaws.strikes("sends waiters home early", chance=0.2)

    def _is_away(self, ask: Ask) -> bool:
        if ask.kind == "healthz":
            return False
        return self._now < self._is_down_until or self._now < self._is_without_valkey_until

    def _tell(self, each: _Waiting, reply: Reply) -> None:
        """The client has the answer, or will never have one."""
        if each.is_left:
            return
        each.is_left = True
        if each in self._under_way:
            self._under_way.remove(each)
        ask = each.ask
        self.history.add(
            Request(
                next(self._ids), each.name, ask.kind, each.begun, self._now, ask.stream, ask.group,
                dict(ask.sent), reply.status, reply.outcome, reply.got,
            )
        )  # fmt: skip
        self._go_on(each.name, each.actor, reply)
