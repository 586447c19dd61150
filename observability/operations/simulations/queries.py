"""Questions about simulations."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from accounts.caller import Caller
from observability.errors import SimulationNotFound
from observability.models import SimulationRun, SimulationState

# A run that is due to send and has not for so long waits for a worker.
STALLED_SECONDS = 8


@dataclass(frozen=True, slots=True)
class SimulationRow:
    """A simulation as pages show it."""

    id: int
    stream: str
    requested_by: str
    event_type: str
    rate_per_second: int
    planned_count: int
    sent_count: int
    bad_count: int
    bad_percent: int
    state: str
    failure: str
    started_at: datetime
    ended_at: datetime | None
    is_stalled: bool

    @property
    def is_running(self) -> bool:
        return self.state == SimulationState.RUNNING

    @property
    def seconds_left(self) -> float:
        return (self.planned_count - self.sent_count) / self.rate_per_second


def list_visible_simulations(caller: Caller) -> QuerySet[SimulationRun]:
    """The caller's own simulations; an admin sees everybody's."""
    runs = SimulationRun.objects.select_related("stream", "requested_by")
    return runs if caller.sees_everybody else runs.filter(requested_by_id=caller.user_id)


def get_simulation(caller: Caller, run_id: int) -> SimulationRun:
    """Return one simulation that the caller may see.

    Raises:
        SimulationNotFound
    """
    run = list_visible_simulations(caller).filter(pk=run_id).first()
    if run is None:
        raise SimulationNotFound("There is no such simulation, or you may not see it.")
    return run


def list_simulation_rows(caller: Caller, *, now: datetime, limit: int) -> list[SimulationRow]:
    """Return the newest simulations that the caller may see."""
    return [view_simulation(run, now) for run in list_visible_simulations(caller)[:limit]]


def view_simulation(run: SimulationRun, now: datetime) -> SimulationRow:
    """Return a simulation as pages show it."""
    quiet = (now - (run.last_sent_at or run.started_at)).total_seconds()
    return SimulationRow(
        id=run.pk,
        stream=run.stream.name,
        requested_by=run.requested_by.email,
        event_type=run.event_type,
        rate_per_second=run.rate_per_second,
        planned_count=run.planned_count,
        sent_count=run.sent_count,
        bad_count=run.bad_count,
        bad_percent=run.bad_percent,
        state=run.state,
        failure=run.failure,
        started_at=run.started_at,
        ended_at=run.ended_at,
        is_stalled=run.state == SimulationState.RUNNING and quiet > STALLED_SECONDS,
    )
