"""Work in one transaction that asks others too: they are asked outside of it, and the work comes through once."""

import pytest
from django.db import connection, transaction

from accounts.asked_before import (
    AskedInTransaction,
    in_one_transaction,
    may_be_asked,
    outside_of_transactions,
    require_outside,
)
from accounts.models import Team

pytestmark = pytest.mark.usefixtures("db_with_commits")


class Distant:
    """Somebody beyond the network, who is never asked inside a transaction."""

    def __init__(self):
        self.asked = []

    def ask(self, what):
        def answer():
            assert not connection.in_atomic_block
            self.asked.append(what)
            if what == "bad":
                raise LookupError(what)
            return what.upper()

        return outside_of_transactions(what, answer)


def test_each_question_is_asked_once_outside_and_the_work_is_done_once():
    distant = Distant()

    def work():
        names = [distant.ask("a"), distant.ask("b"), distant.ask("a")]
        Team.objects.create(name="".join(names).lower())
        return names

    assert in_one_transaction(work) == ["A", "B", "A"]
    assert distant.asked == ["a", "b"]
    assert Team.objects.get().name == "aba"


def test_what_was_done_before_a_question_is_done_anew():
    distant = Distant()

    def work():
        Team.objects.create(name="first")
        return distant.ask("a")

    assert in_one_transaction(work) == "A"
    assert Team.objects.count() == 1


def test_an_error_is_an_answer_that_the_work_may_deal_with():
    distant = Distant()

    def work():
        try:
            return distant.ask("bad")
        except LookupError as error:
            return f"no {error}"

    assert in_one_transaction(work) == "no bad"
    with pytest.raises(LookupError):
        in_one_transaction(lambda: distant.ask("bad"))
    assert not connection.in_atomic_block


def test_without_a_transaction_it_is_simply_asked():
    distant = Distant()
    assert [distant.ask("a"), distant.ask("a")] == ["A", "A"]
    assert distant.asked == ["a", "a"]
    assert may_be_asked()


def test_in_a_transaction_that_nobody_has_prepared_it_is_a_fault():
    distant = Distant()
    with transaction.atomic():
        assert not may_be_asked()
        for ask in (
            lambda: distant.ask("a"),
            lambda: require_outside("a"),
            lambda: in_one_transaction(lambda: distant.ask("a")),
        ):
            with pytest.raises(AskedInTransaction):
                ask()
    assert distant.asked == []
    require_outside("a")


def test_what_asks_without_end_is_ended():
    def work():
        for number in range(2_000):
            outside_of_transactions(number, lambda: None)

    with pytest.raises(AskedInTransaction, match="more than"):
        in_one_transaction(work)
