"""Whether a run has shown anything: every kind of fault struck, and requests of every kind ended every way."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from tests.faults.checker import Facts, Verdict
from tests.faults.history import Fault
from tests.faults.kinds import FAULTS, LEAVINGS

# kind of request -> outcome -> how many there must be at least.
LEAST: Final[dict[str, dict[str, int]]] = {
    "append": {"durable": 200, "refused": 10, "unknown": 10},
    "poll": {"durable": 200, "unknown": 5},
    "lease": {"durable": 100, "unknown": 5},
    "ack": {"durable": 100, "refused": 3, "unknown": 2},
    "nack": {"durable": 10},
    "extend": {"durable": 2},
    "release": {"durable": 2},
    "commit": {"durable": 50, "refused": 2, "unknown": 1},
    "report": {"durable": 1},
    "redrive": {"durable": 3, "refused": 1},
    "discard": {"durable": 2},
}
_LEAST_LEAVINGS: Final = 2
_LEAST_REPLAYS: Final = 1


def requests_by_outcome(facts: Facts) -> Mapping[tuple[str, str], int]:
    return Counter((request.kind, request.outcome) for request in facts.requests)


def hits(facts: Facts, fault: Fault) -> int:
    """How many requests were under way when a fault struck."""
    return sum(request.begun <= fault.begun <= request.ended for request in facts.requests)


def leavings(facts: Facts) -> Mapping[str, int]:
    """How many clients left, by where they were."""
    return Counter(request.vanished for request in facts.requests if request.vanished)


def lacking(facts: Facts, verdicts: Mapping[str, Verdict] | None = None) -> list[str]:
    """Return what a run lacks to count; without verdicts, as far as the load and the faults tell."""
    return [*_faults_lacking(facts), *_outcomes_lacking(facts), *_judgements_lacking(verdicts or {})]


def _faults_lacking(facts: Facts) -> Iterable[str]:
    struck: Counter[str] = Counter()
    for fault in facts.faults:
        struck[fault.kind] += hits(facts, fault)
    for kind, words in FAULTS.items():
        if not struck[kind]:
            yield f"no request was under way during {kind} ({words})"
    there = leavings(facts)
    for where, words in LEAVINGS.items():
        if there.get(where, 0) < _LEAST_LEAVINGS:
            yield f"{words}: {there.get(where, 0)} times, not {_LEAST_LEAVINGS}"


def _outcomes_lacking(facts: Facts) -> Iterable[str]:
    counts = requests_by_outcome(facts)
    for kind, outcomes in LEAST.items():
        for outcome, least in outcomes.items():
            found = counts.get((kind, outcome), 0)
            if found < least:
                yield f"{found} requests to {kind} were {outcome}, not {least}"
    replays = sum(bool(request.got.get("replayed")) for request in facts.by_kind["append"])
    if replays < _LEAST_REPLAYS:
        yield f"{replays} appends were answered from memory, not {_LEAST_REPLAYS}"
    if not any(request.got["gaps"] for request in facts.durable("poll")):
        yield "retention got ahead of nobody"


def _judgements_lacking(verdicts: Mapping[str, Verdict]) -> Iterable[str]:
    for name, verdict in verdicts.items():
        if not verdict.judged:
            yield f"nothing was judged by {name}"
