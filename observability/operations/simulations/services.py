"""Starting, driving and stopping simulations."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random

import msgspec
import orjson
from django.db.models import F
from msgspec import Raw

from accounts.caller import Caller
from accounts.errors import DomainError, InvalidParameter, ScopeMissing
from accounts.models import User
from accounts.quotas import SIMULATIONS, check_quota, quota_of
from accounts.request_ids import current_request_id, on_behalf_of
from accounts.roles import Right
from observability.models import SimulationRun, SimulationState
from observability.operations.simulations.faults import spoil
from observability.operations.simulations.headers import BAD_HEADER, SIMULATION_HEADER
from observability.operations.simulations.placeholders import Moment, Template, compile_payload, compile_text
from streams.envelope import Envelope, make_records
from streams.errors import AppendNotStored, AppendOutcomeUnknown
from streams.log.protocol import AppendedRange
from streams.lookup import require_stream
from streams.services.ingest import Idempotency, Placement, append_events

logger = logging.getLogger(__name__)

MAX_RATE_PER_SECOND = 1_000
MAX_DURATION_SECONDS = 3_600
STEP_EVENTS = 250
# Of one run, in one tick: what a pause of the worker left behind is made up over several.
MAX_STEPS = 8
MAX_RUNS_AT_ONCE = 50
_REQUEST_HASH = b"simulation".ljust(32, b"\0")


@dataclass(frozen=True, slots=True)
class SimulationPlan:
    """What somebody asks for."""

    stream: str
    event_type: str
    key_template: str
    payload_template: str
    rate_per_second: int
    duration_seconds: int
    bad_percent: int


def start_simulation(*, caller: Caller, plan: SimulationPlan, now: datetime) -> SimulationRun:
    """Start a simulation, after one event of it was tried without sending it.

    Raises:
        StreamNotFound, ScopeMissing: not for this caller.
        InvalidTemplate, InvalidParameter, InvalidEvents: it could not send a single event.
        QuotaExceeded: as many of theirs are running as may.
    """
    stream = require_stream(caller, plan.stream, Right.PRODUCE)
    for name, value, low, high in (
        ("rate", plan.rate_per_second, 1, MAX_RATE_PER_SECOND),
        ("duration", plan.duration_seconds, 1, MAX_DURATION_SECONDS),
        ("bad_percent", plan.bad_percent, 0, 100),
    ):
        if not low <= value <= high:
            raise InvalidParameter(name, f"Must be a whole number from {low} to {high}.")
    run = SimulationRun(
        stream_id=stream.id,
        requested_by_id=caller.user_id,
        request_id=current_request_id(),
        event_type=plan.event_type or "event",
        key_template=plan.key_template,
        payload_template=plan.payload_template,
        rate_per_second=plan.rate_per_second,
        planned_count=plan.rate_per_second * plan.duration_seconds,
        bad_percent=plan.bad_percent,
        started_at=now,
    )
    events, _ = _make_events(run, 0, 1, now)
    make_records(events, is_single=True)
    running = SimulationRun.objects.filter(requested_by_id=caller.user_id, state=SimulationState.RUNNING)
    if quota_of(SIMULATIONS) is not None:
        check_quota(SIMULATIONS, owner=caller.email, used=running.count())
    run.save()
    return run


def stop_simulation(*, run: SimulationRun, now: datetime) -> bool:
    """Stop a run; false if it had ended already."""
    running = SimulationRun.objects.filter(pk=run.pk, state=SimulationState.RUNNING)
    return bool(running.update(state=SimulationState.STOPPED, ended_at=now))


def drive_simulations(*, now: datetime) -> int:
    """Send what is due of every running simulation; return how many events were sent.

    Doubled, lost or killed ticks do no harm: each step is appended under a key made of the run and its
    position, and counted once.
    """
    running = SimulationRun.objects.filter(state=SimulationState.RUNNING).select_related("requested_by", "stream")
    sent = 0
    # Those that have waited for longest first: with more than one tick can drive, each has its turn.
    for run in running.order_by(F("last_sent_at").asc(nulls_first=True), "id")[:MAX_RUNS_AT_ONCE]:
        with on_behalf_of(run.request_id):
            sent += _drive(run, now)
    return sent


def _drive(run: SimulationRun, now: datetime) -> int:
    sent = 0
    for _ in range(MAX_STEPS):
        elapsed = max(0.0, (now - run.started_at).total_seconds())
        due = min(run.planned_count, int(elapsed * run.rate_per_second)) - run.sent_count
        if due <= 0:
            break
        try:
            count = _send_step(run, min(due, STEP_EVENTS), now)
        except (AppendNotStored, AppendOutcomeUnknown):
            break  # The next tick asks again with the same key.
        except DomainError as error:
            _end(run, SimulationState.FAILED, now, failure=error.detail)
            break
        if count is None:
            break
        sent += count
    if run.sent_count >= run.planned_count:
        _end(run, SimulationState.FINISHED, now)
    return sent


def _send_step(run: SimulationRun, size: int, now: datetime) -> int | None:
    """Send the next events; return how many, or None if somebody else did or the run was stopped."""
    user: User = run.requested_by
    if not user.is_active:
        raise ScopeMissing("Whoever started it has been disabled.")
    events, bad = _make_events(run, run.sent_count, size, now)

    def render(placement: Placement, _ranges: Sequence[AppendedRange]) -> bytes:
        return orjson.dumps({"sent": len(placement.ids), "bad": bad})

    _, answer = append_events(
        caller=user.as_caller(),
        events=events,
        is_single=False,
        stream_name=run.stream.name,
        render=render,
        idempotency=Idempotency(f"simulation-{run.pk}-{run.sent_count}", _REQUEST_HASH),
    )
    outcome = orjson.loads(answer)
    advanced = SimulationRun.objects.filter(pk=run.pk, state=SimulationState.RUNNING, sent_count=run.sent_count).update(
        sent_count=run.sent_count + outcome["sent"], bad_count=run.bad_count + outcome["bad"], last_sent_at=now
    )
    if not advanced:
        return None
    run.sent_count += outcome["sent"]
    run.bad_count += outcome["bad"]
    return int(outcome["sent"])


def _make_events(run: SimulationRun, first: int, count: int, now: datetime) -> tuple[list[Envelope], int]:
    """Make the events number `first` and following, and count the bad ones."""
    payload, key = compile_payload(run.payload_template), compile_text(run.key_template)
    events, bad = [], 0
    for sequence in range(first + 1, first + count + 1):
        moment = Moment(Random(f"{run.pk}:{sequence}"), sequence, now)  # noqa: S311 - made-up data
        event, is_bad = _make_event(run, payload, key, moment)
        events.append(event)
        bad += is_bad
    return events, bad


def _make_event(run: SimulationRun, payload: Template, key: Template, moment: Moment) -> tuple[Envelope, bool]:
    text = payload.render(moment)
    headers = {SIMULATION_HEADER: str(run.pk or 0)}
    is_bad = moment.random.random() * 100 < run.bad_percent
    if is_bad:
        text, headers[BAD_HEADER] = spoil(text, moment.random)
    raw = msgspec.json.decode(text.encode(), type=Raw)
    return Envelope(payload=raw, type=run.event_type, key=key.render(moment) or None, headers=headers), is_bad


def _end(run: SimulationRun, state: SimulationState, now: datetime, *, failure: str = "") -> None:
    SimulationRun.objects.filter(pk=run.pk, state=SimulationState.RUNNING).update(
        state=state, ended_at=now, failure=failure[:400]
    )
    logger.info("simulation %s", state.value, extra={"simulation": run.pk, "sent": run.sent_count, "failure": failure})
