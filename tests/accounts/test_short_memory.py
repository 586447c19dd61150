"""Answers remembered for less than a second; how a crowd asks for them, tests/accounts/test_crowds.py says."""

import threading
import time

import pytest

from accounts.short_memory import ShortMemory


def test_an_answer_is_asked_for_once_while_it_is_fresh():
    memory: ShortMemory[str, int] = ShortMemory(seconds=60, size=10)
    asked = []
    for _ in range(5):
        assert memory.get("a", lambda: asked.append(1) or 7) == 7
    assert len(asked) == 1


def test_no_answer_outlives_its_time():
    memory: ShortMemory[str, int] = ShortMemory(seconds=0.05, size=10)
    memory.get("a", lambda: 1)
    time.sleep(0.06)
    assert memory.get("a", lambda: 2) == 2


def test_one_thread_renews_while_the_others_go_on_with_the_old_answer():
    memory: ShortMemory[str, int] = ShortMemory(seconds=20, size=10)
    memory.get("a", lambda: 1)
    memory._entries["a"].renew_at = 0
    renewing, go_on, answers = threading.Event(), threading.Event(), []

    def renew() -> int:
        renewing.set()
        go_on.wait(10)
        return 2

    first = threading.Thread(target=lambda: answers.append(memory.get("a", renew)))
    first.start()
    assert renewing.wait(10)
    assert memory.get("a", lambda: pytest.fail("asked twice")) == 1
    go_on.set()
    first.join(10)
    assert answers == [2]
    assert memory.get("a", lambda: pytest.fail("asked again")) == 2


def test_a_failure_is_not_remembered_and_drops_the_old_answer():
    memory: ShortMemory[str, int] = ShortMemory(seconds=60, size=10)
    memory.get("a", lambda: 1)
    memory._entries["a"].renew_at = 0
    with pytest.raises(LookupError):
        memory.get("a", lambda: (_ for _ in ()).throw(LookupError()))
    assert memory.get("a", lambda: 3) == 3


def test_what_was_asked_before_a_change_is_not_kept_after_it():
    memory: ShortMemory[str, int] = ShortMemory(seconds=60, size=10)

    def ask() -> int:
        memory.forget()
        return 1

    assert memory.get("a", ask) == 1
    assert memory.get("a", lambda: 2) == 2


def test_it_does_not_grow_without_bound():
    memory: ShortMemory[int, int] = ShortMemory(seconds=60, size=10)
    for number in range(1000):
        memory.get(number, lambda number=number: number)
    assert len(memory._entries) <= 10


def test_to_peek_is_to_ask_nobody():
    memory: ShortMemory[str, str] = ShortMemory(seconds=60, size=10)
    assert memory.peek("key") is None
    memory.get("key", lambda: "answer")
    assert memory.peek("key") == "answer"
    memory.forget()
    assert memory.peek("key") is None


def test_what_is_too_old_is_not_seen_by_who_peeks():
    memory: ShortMemory[str, str] = ShortMemory(seconds=0.05, size=10)
    memory.get("key", lambda: "answer")
    time.sleep(0.06)
    assert memory.peek("key") is None
