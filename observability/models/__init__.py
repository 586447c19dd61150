"""What has been added up of the log, when the timers last ticked, and the simulations that run."""

from observability.models.rollups import GroupMinute, Heartbeat, RollupCursor, StreamMinute, TypePeriod
from observability.models.simulations import SimulationRun, SimulationState

__all__ = [
    "GroupMinute",
    "Heartbeat",
    "RollupCursor",
    "SimulationRun",
    "SimulationState",
    "StreamMinute",
    "TypePeriod",
]
