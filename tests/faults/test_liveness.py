"""What simulations cannot play: an orderly stop, and movers that are killed."""

import pytest

from tests.faults.checker import Facts, judge_all
from tests.faults.history import Fault, History, Mark, Request
from tests.faults.toy.simulation import Simulation
from tests.faults.world import World


def stopped(*requests: Request, seconds: float = 3.0, code: int = 0) -> Facts:
    marks = [Mark("stopping", 100.0), Mark("stopped", 100.0 + seconds, f"exit code {code}")]
    return Facts(History([World(1), *marks, *requests]))


def test_a_stop_that_answers_what_it_accepted_is_in_order():
    verdict = judge_all(stopped(Request(1, "p", "append", 98.0, 101.0, status=202)), ["L4"])["L4"]
    assert (verdict.judged, verdict.violations) == (3, [])


def test_a_stop_that_cuts_off_what_it_accepted_is_found():
    verdict = judge_all(stopped(Request(7, "p", "append", 98.0, 101.0)), ["L4"])["L4"]
    assert [violation.requests for violation in verdict.violations] == [(7,)]


def test_what_was_sent_as_the_stop_began_may_not_have_been_accepted():
    assert not judge_all(stopped(Request(1, "p", "append", 99.5, 101.0)), ["L4"])["L4"].violations


def test_a_stop_that_takes_too_long_or_fails_is_found():
    assert judge_all(stopped(seconds=11.0), ["L4"])["L4"].violations
    assert judge_all(stopped(code=1), ["L4"])["L4"].violations


def test_what_killed_movers_break_is_said_of_them():
    facts = Facts(Simulation(0, ["writes letters twice"]).run())
    verdict = judge_all(facts, ["D6"])["D6"]
    assert verdict.judged == sum(fault.kind == "web_parent_killed" for fault in facts.faults) + sum(
        fault.kind == "network_down" for fault in facts.faults
    )
    assert verdict.violations[0].words.startswith("D2")


@pytest.mark.parametrize(
    ("begun", "ended", "expected"), [(0, 8.9, True), (0, 9, False), (13.1, 20, True), (12, 13, False)]
)
def test_trouble_lasts_from_a_moment_before_until_a_moment_after(begun, ended, expected):
    facts = Facts(History([World(1), Fault("web_parent_killed", "", 10, 10, 11), Fault("celery_paused", "", 11, 12)]))
    assert facts.is_undisturbed(begun, ended) is expected
