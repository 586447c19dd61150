"""The checker itself: it finds each way to break a promise, and finds nothing where none is broken."""

import re
from pathlib import Path

import pytest

from tests.faults.checker import INVARIANTS, Facts, judge_all
from tests.faults.checker.unshown import UNSHOWN
from tests.faults.toy.flaws import FLAWS
from tests.faults.toy.simulation import Simulation

PROJECT = Path(__file__).resolve().parents[2]
# A flaw strikes now and then, and what it breaks is not always seen: one of so many runs has to show it.
RUNS = 8


@pytest.mark.parametrize("seed", range(4))
def test_a_run_in_which_every_promise_is_kept_passes(seed):
    verdicts = judge_all(Facts(Simulation(seed).run()))
    assert {name: verdict.violations for name, verdict in verdicts.items() if verdict.violations} == {}


@pytest.mark.parametrize("flaw", FLAWS)
def test_every_flaw_is_found(flaw):
    for seed in range(RUNS):
        found = judge_all(Facts(Simulation(seed, [flaw]).run()), FLAWS[flaw])
        if all(verdict.violations for verdict in found.values()):
            return
    pytest.fail(f"a service that {flaw} passes: {found}")


def test_a_violation_names_the_requests_that_prove_it():
    facts = Facts(Simulation(0, ["tells a wrong offset"]).run())
    (violation, *_) = judge_all(facts, ["P6"])["P6"].violations
    (request,) = [each for each in facts.requests if each.id in violation.requests]
    assert request.kind == "append"
    assert request.sent["base"] in violation.words


def test_every_invariant_but_one_is_judged_and_can_fail():
    facts = Facts(Simulation(2).run())
    idle = {name for name, verdict in judge_all(facts).items() if not verdict.judged}
    # Nothing is stopped in a simulation: test_liveness.py plays that.
    assert idle == {"L4"}
    broken = {name for names in FLAWS.values() for name in names}
    assert set(INVARIANTS) - broken == {"D6", "L4"}


def test_every_invariant_of_the_list_is_judged_or_explained():
    listed = {
        *(f"P{n}" for n in range(1, 8)),
        *(f"O{n}" for n in range(1, 6)),
        *(f"R{n}" for n in range(1, 6)),
        *(f"C{n}" for n in range(1, 5)),
        *(f"Q{n}" for n in range(1, 9)),
        # The two between them are played out in tests/consumers/test_isolation.py.
        "Q11",
        "Q12",
        *(f"D{n}" for n in range(1, 7)),
        *(f"L{n}" for n in range(1, 5)),
    }
    assert set(INVARIANTS) == listed
    assert set(UNSHOWN) - listed == {"T1-T8"}


def test_what_is_tested_elsewhere_is_tested_there():
    named = {name for words in UNSHOWN.values() for name in re.findall(r"tests/[\w/.]+\.py", words)}
    assert len(named) > 5
    assert [name for name in named if not (PROJECT / name).exists()] == []
