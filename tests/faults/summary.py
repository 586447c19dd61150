"""What a run says in the end: requests, faults, checks, verdict."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Final

from tests.faults.checker import INVARIANTS, Facts, Verdict
from tests.faults.checker.unshown import UNSHOWN
from tests.faults.contract import OUTCOMES
from tests.faults.history import Fault, Request
from tests.faults.kinds import FAULTS, LEAVINGS
from tests.faults.validity import hits, leavings, requests_by_outcome

_MOST_TOLD: Final = 10
Row = Sequence[object]


def summarise(facts: Facts, verdicts: Mapping[str, Verdict], lacking: Sequence[str]) -> str:
    """Return the whole report."""
    parts = [
        _table(("requests", *OUTCOMES), _requests(facts)),
        _table(("faults", "times", "hits", "back after (median, longest)"), _faults(facts)),
        _table(("promise", "judged", "broken", ""), _checks(verdicts)),
        "Not shown here:\n" + "\n".join(f"  {name}  {words}" for name, words in UNSHOWN.items()),
        *_violations(facts, verdicts),
        *(["This run shows too little:\n" + "\n".join(f"  {words}" for words in lacking)] if lacking else []),
        f"Seed {facts.world.seed}, {facts.world.load_seconds:.1f} s to load: {verdict_of(verdicts, lacking)}",
    ]
    return "\n\n".join(parts)


def verdict_of(verdicts: Mapping[str, Verdict], lacking: Sequence[str]) -> str:
    broken = [name for name, verdict in verdicts.items() if verdict.violations]
    if broken:
        return f"BROKEN: {', '.join(broken)}"
    return "INVALID: it shows too little" if lacking else "every promise was kept"


def exit_code_of(verdicts: Mapping[str, Verdict], lacking: Sequence[str]) -> int:
    """0: every promise was kept; 1: some were broken; 2: the run shows too little."""
    if any(verdict.violations for verdict in verdicts.values()):
        return 1
    return 2 if lacking else 0


def _requests(facts: Facts) -> Iterable[Row]:
    counts = requests_by_outcome(facts)
    for kind in sorted({kind for kind, _ in counts}):
        yield (kind, *(counts.get((kind, outcome), 0) for outcome in OUTCOMES))


def _faults(facts: Facts) -> Iterable[Row]:
    by_kind: dict[str, list[Fault]] = defaultdict(list)
    for fault in facts.faults:
        by_kind[fault.kind].append(fault)
    for kind in FAULTS:
        faults = by_kind[kind]
        backs = [fault.back - fault.ended for fault in faults if fault.back is not None]
        back = f"{median(backs):.1f} s, {max(backs):.1f} s" if backs else ""
        yield kind, len(faults), sum(hits(facts, fault) for fault in faults), back
    there = leavings(facts)
    for where, words in LEAVINGS.items():
        yield words, there.get(where, 0), there.get(where, 0), ""


def _checks(verdicts: Mapping[str, Verdict]) -> Iterable[Row]:
    for name, verdict in verdicts.items():
        yield name, verdict.judged, len(verdict.violations), INVARIANTS[name].words


def _violations(facts: Facts, verdicts: Mapping[str, Verdict]) -> Iterable[str]:
    by_id = {request.id: request for request in facts.requests}
    for name, verdict in verdicts.items():
        for violation in verdict.violations[:_MOST_TOLD]:
            proof = "\n".join(
                f"    {_line(by_id[number])}" for number in violation.requests[:_MOST_TOLD] if number in by_id
            )
            yield f"{name} is broken: {violation.words}\n{proof}".rstrip()
        if len(verdict.violations) > _MOST_TOLD:
            yield f"{name} is broken {len(verdict.violations) - _MOST_TOLD} more times"


def _line(request: Request) -> str:
    where = "/".join(part for part in (request.stream, request.group) if part)
    sent = ", ".join(f"{name}={value}" for name, value in request.sent.items())[:160]
    told = f"{request.status} {request.outcome}"
    return f"#{request.id} {request.begun:.3f}-{request.ended:.3f} {request.actor} {request.kind} {where} ({sent}) → {told}"


def _table(head: Row, rows: Iterable[Row]) -> str:
    lines = [head, *rows]
    widths = [max(len(str(line[column])) for line in lines) for column in range(len(head))]

    def line(cells: Row) -> str:
        first, *others = (
            str(cell).ljust(width) if isinstance(cell, str) else str(cell).rjust(width)
            for cell, width in zip(cells, widths, strict=True)
        )
        return "  ".join([first, *others]).rstrip()

    return "\n".join([line(head), "  ".join("-" * width for width in widths), *map(line, lines[1:])])
