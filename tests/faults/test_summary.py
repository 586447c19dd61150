"""What a run says in the end, and when it must not count."""

from tests.faults.checker import Facts, Verdict, judge_all
from tests.faults.history import Fault, History, Request
from tests.faults.summary import exit_code_of, summarise
from tests.faults.toy.simulation import Simulation
from tests.faults.validity import hits, lacking
from tests.faults.world import World


def broken() -> Verdict:
    verdict = Verdict(judged=1)
    verdict.blame("it broke", 1)
    return verdict


def test_a_run_ends_well_badly_or_shows_too_little():
    good = Verdict(judged=1)
    assert exit_code_of({"P1": good}, []) == 0
    assert exit_code_of({"P1": good}, ["no fault struck"]) == 2
    # What is broken is broken, however little else was shown.
    assert exit_code_of({"P1": broken()}, ["no fault struck"]) == 1


def test_a_fault_hits_what_is_under_way_when_it_strikes():
    times = [(1, 2), (3, 6), (5, 8), (9, 9.5)]
    facts = Facts(History([World(1), *(Request(n, "p", "append", *each) for n, each in enumerate(times))]))
    assert hits(facts, Fault("web_worker_paused", "", 4, 8)) == 1
    assert hits(facts, Fault("web_worker_killed", "", 5.5, 5.5)) == 2


def test_a_run_lacks_what_never_struck_what_never_ended_that_way_and_what_was_never_judged():
    facts = Facts(Simulation(0).run())
    missing = lacking(facts, judge_all(facts))
    assert any("web_worker_killed" in words for words in missing)
    assert not any("network_down" in words for words in missing)
    assert any(words.endswith("requests to lease were unknown, not 5") for words in lacking(Facts(History([World(1)]))))
    assert "nothing was judged by L4" in missing
    assert "nothing was judged by P1" not in missing


def test_the_report_names_the_seed_the_counts_and_the_proof():
    facts = Facts(Simulation(5, ["tells a wrong offset"]).run())
    report = summarise(facts, judge_all(facts), ["no fault struck"])
    assert "Seed 5, 0.0 s to load: BROKEN: " in report
    (line,) = [line for line in report.splitlines() if line.startswith("append ")]
    assert line.split()[1] == str(len(facts.durable("append")))
    assert "P6 is broken: " in report
    assert " append " in report.split("P6 is broken: ")[1]
    assert "This run shows too little:\n  no fault struck" in report
