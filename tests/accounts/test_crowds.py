"""A crowd that wants an answer which nobody has: one asks, the others wait for what it is told."""

import os
import threading

import pytest
from django.db import connection, connections, transaction
from psycopg_pool import PoolTimeout

from accounts.errors import InvalidCredentials
from accounts.short_memory import AnswerMissing, ShortMemory
from tests.accounts.waiters import wait_for_waiters
from tests.threads import SECONDS, crowd, outcomes_of

CROWD = 500


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class Source:
    """What is asked: each question waits until it is answered, with a value or an error.

    Attributes:
        asked: how many questions came so far.
    """

    def __init__(self) -> None:
        self.asked = 0
        self._came = threading.Semaphore(0)
        self._answers: dict[int, object] = {}
        self._news = threading.Condition()

    def ask(self) -> object:
        with self._news:
            number = self.asked
            self.asked += 1
            self._came.release()
            assert self._news.wait_for(lambda: number in self._answers, SECONDS), "never answered"
            answer = self._answers[number]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def wait_for_question(self) -> None:
        assert self._came.acquire(timeout=SECONDS), "nobody asks"

    def answer(self, number: int, answer: object) -> None:
        with self._news:
            self._answers[number] = answer
            self._news.notify_all()


def nobody() -> None:
    pytest.fail("asked though somebody else does")


def make_memory(**settings: float) -> ShortMemory[str, object]:
    return ShortMemory(seconds=settings.pop("seconds", SECONDS), size=10, patience_seconds=SECONDS, **settings)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("accounts.short_memory.time", clock)
    return clock


@pytest.fixture
def source():
    return Source()


def test_after_idling_one_of_a_crowd_asks_and_all_are_told(source):
    memory = make_memory()
    all_of_them = crowd(CROWD, lambda: memory.get("a", source.ask))
    wait_for_waiters(memory, CROWD - 1)
    source.answer(0, "yes")
    assert outcomes_of(all_of_them) == ["yes"] * CROWD
    assert source.asked == 1
    assert memory.get("a", nobody) == "yes"


def test_an_answer_that_comes_later_than_it_may_be_remembered_goes_to_all_who_waited_and_to_nobody_else(clock, source):
    memory = make_memory(seconds=0.9)
    all_of_them = crowd(CROWD, lambda: memory.get("a", source.ask))
    wait_for_waiters(memory, CROWD - 1)
    clock.now += 2.5
    source.answer(0, "yes")
    assert outcomes_of(all_of_them) == ["yes"] * CROWD
    assert source.asked == 1
    assert memory.get("a", lambda: "anew") == "anew"


def test_nobody_waits_for_what_was_asked_too_long_before_they_came(clock, source):
    memory = make_memory(seconds=0.9)
    stuck = crowd(1, lambda: memory.get("a", source.ask))
    source.wait_for_question()
    clock.now += 0.8
    in_time = crowd(1, lambda: memory.get("a", nobody))
    wait_for_waiters(memory, 1)
    clock.now += 0.2
    assert memory.get("a", lambda: "revoked") == "revoked"
    source.answer(0, "valid")
    assert outcomes_of(stuck) == outcomes_of(in_time) == ["valid"]
    # What was asked for earlier and came later does not take the place of what is newer.
    assert memory.get("a", nobody) == "revoked"


def test_a_failure_of_one_who_was_passed_over_leaves_the_newer_answer_alone(clock, source):
    memory = make_memory(seconds=0.9)
    stuck = crowd(1, lambda: memory.get("a", source.ask))
    source.wait_for_question()
    clock.now += 1
    memory.get("a", lambda: "newer")
    source.answer(0, PoolTimeout())
    outcomes_of(stuck)
    assert memory.get("a", nobody) == "newer"


def test_while_one_asks_other_keys_are_answered(source):
    memory = make_memory()
    first = crowd(1, lambda: memory.get("a", source.ask))
    source.wait_for_question()
    assert memory.get("b", lambda: "other") == "other"
    source.answer(0, "yes")
    assert outcomes_of(first) == ["yes"]


def test_who_comes_after_the_time_of_an_answer_waits_for_its_renewal(clock, source):
    memory = make_memory(seconds=0.9)
    memory.get("a", lambda: "old")
    clock.now += 0.5
    renewing = crowd(1, lambda: memory.get("a", source.ask))
    source.wait_for_question()
    assert memory.get("a", nobody) == "old"
    clock.now += 0.5
    late = crowd(20, lambda: memory.get("a", nobody))
    wait_for_waiters(memory, 20)
    source.answer(0, "new")
    assert outcomes_of(renewing) + outcomes_of(late) == ["new"] * 21


@pytest.mark.parametrize("is_quick", [False, True], ids=["while all wait", "before most have woken up"])
def test_a_refusal_is_asked_for_once_more_by_one_of_those_who_came_meanwhile_and_goes_to_all(source, is_quick):
    memory = make_memory()
    all_of_them = crowd(CROWD, lambda: memory.get("a", source.ask))
    source.wait_for_question()
    wait_for_waiters(memory, CROWD - 1)
    if is_quick:
        source.answer(1, InvalidCredentials("no such key"))
    source.answer(0, InvalidCredentials("no such key"))
    if not is_quick:
        source.wait_for_question()
        source.answer(1, InvalidCredentials("no such key"))
    outcomes = outcomes_of(all_of_them)
    assert {(type(outcome), outcome.detail) for outcome in outcomes} == {(InvalidCredentials, "no such key")}
    # Each its own: one that many threads raise would grow with every one of them.
    assert len({id(outcome) for outcome in outcomes}) == CROWD
    assert source.asked == 2
    assert memory.get("a", lambda: "made since") == "made since"


def test_what_was_made_while_a_refusal_was_under_way_is_there_for_whoever_came_after_it(source):
    memory = make_memory()
    early = crowd(1, lambda: memory.get("a", source.ask))
    source.wait_for_question()
    late = crowd(10, lambda: memory.get("a", source.ask))
    wait_for_waiters(memory, 10)
    source.answer(0, InvalidCredentials())
    source.answer(1, "made since")
    assert [type(outcome) for outcome in outcomes_of(early)] == [InvalidCredentials]
    assert outcomes_of(late) == ["made since"] * 10
    assert source.asked == 2


@pytest.mark.parametrize("error", [PoolTimeout("none free"), RuntimeError("a defect"), SystemExit()], ids=repr)
def test_where_the_one_who_asks_fails_the_others_are_told_at_once_and_none_of_them_tries(source, error):
    memory = make_memory()
    all_of_them = crowd(CROWD, lambda: memory.get("a", source.ask))
    wait_for_waiters(memory, CROWD - 1)
    source.answer(0, error)
    outcomes = outcomes_of(all_of_them)
    assert [outcome for outcome in outcomes if not isinstance(outcome, AnswerMissing)] == [error]
    # Not what it said to the one, which may be for nobody else.
    assert {str(outcome) for outcome in outcomes if outcome is not error} == {"a look-up has failed"}
    assert source.asked == 1
    assert memory.get("a", lambda: "back") == "back"


def test_what_was_being_asked_when_something_changed_is_not_kept_and_not_told_to_whoever_comes_after(source):
    memory = make_memory()
    before = crowd(10, lambda: memory.get("a", source.ask))
    wait_for_waiters(memory, 9)
    memory.forget()
    assert memory.get("a", lambda: "after") == "after"
    source.answer(0, "before")
    assert outcomes_of(before) == ["before"] * 10
    assert memory.get("a", nobody) == "after"


def test_nobody_waits_for_ever_for_one_who_is_stuck(source):
    memory: ShortMemory[str, object] = ShortMemory(seconds=SECONDS, size=10, patience_seconds=0.05)
    stuck = crowd(1, lambda: memory.get("a", source.ask))
    source.wait_for_question()
    waiting = crowd(20, lambda: memory.get("a", nobody))
    assert {type(outcome) for outcome in outcomes_of(waiting)} == {AnswerMissing}
    source.answer(0, "late")
    assert outcomes_of(stuck) == ["late"]
    assert memory.get("a", nobody) == "late"


@pytest.mark.processes
def test_a_forked_child_waits_for_nobody_of_its_parent(source):
    memory = make_memory()
    asking = crowd(1, lambda: memory.get("a", source.ask))
    source.wait_for_question()
    # As if another thread were just looking, too.
    with memory._lock:
        child = os.fork()
        if not child:
            threading.Timer(SECONDS, os._exit, [2]).start()
            os._exit(0 if memory.get("a", lambda: "child") == "child" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    source.answer(0, "parent")
    assert outcomes_of(asking) == ["parent"]
    assert memory.get("a", nobody) == "parent"


def test_who_waits_lets_go_of_the_database_connection(db_with_commits, source):
    """Otherwise those who wait could hold all of them, and whoever asks has none."""
    memory = make_memory()
    asking = crowd(1, lambda: memory.get("a", source.ask))
    source.wait_for_question()
    held = []

    def wait() -> object:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        held.append(connections["default"])
        assert held[0].connection is not None
        return memory.get("a", nobody)

    waiting = crowd(1, wait)
    wait_for_waiters(memory, 1)
    assert held[0].connection is None
    source.answer(0, "yes")
    assert outcomes_of(asking) + outcomes_of(waiting) == ["yes", "yes"]


def test_who_is_in_a_transaction_asks_and_does_not_wait(db_with_commits, source):
    memory = make_memory()
    asking = crowd(1, lambda: memory.get("a", source.ask))
    source.wait_for_question()
    with transaction.atomic():
        assert memory.get("a", lambda: "mine") == "mine"
        assert connection.connection is not None
    source.answer(0, "yes")
    assert outcomes_of(asking) == ["yes"]
    assert memory.get("a", nobody) == "yes"
