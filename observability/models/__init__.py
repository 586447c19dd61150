"""What has been added up of the log, when the timers last ticked, how full the disk is, and which simulations run."""

from observability.models.disk import DiskSample
from observability.models.rollups import GroupMinute, Heartbeat, RollupCursor, StreamMinute, TypePeriod
from observability.models.simulations import SimulationRun, SimulationState

__all__ = [
    "DiskSample",
    "GroupMinute",
    "Heartbeat",
    "RollupCursor",
    "SimulationRun",
    "SimulationState",
    "StreamMinute",
    "TypePeriod",
]
