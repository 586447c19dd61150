"""What was added up of the log, ticks of the timers, how full the disk is, running simulations, and alerts."""

from observability.models.alerts import (
    Alert,
    AlertChannel,
    AlertNotification,
    AlertRule,
    AlertState,
    ChannelKind,
    NotificationStatus,
    Occasion,
    What,
)
from observability.models.disk import DiskSample
from observability.models.rollups import (
    GroupHour,
    GroupMinute,
    Heartbeat,
    RejectedAppends,
    RollupCursor,
    StreamMinute,
    TypePeriod,
)
from observability.models.simulations import SimulationRun, SimulationState

__all__ = [
    "Alert",
    "AlertChannel",
    "AlertNotification",
    "AlertRule",
    "AlertState",
    "ChannelKind",
    "DiskSample",
    "GroupHour",
    "GroupMinute",
    "Heartbeat",
    "NotificationStatus",
    "Occasion",
    "RejectedAppends",
    "RollupCursor",
    "SimulationRun",
    "SimulationState",
    "StreamMinute",
    "TypePeriod",
    "What",
]
