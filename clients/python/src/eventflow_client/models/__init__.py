"""What the server answers with, as typed values."""

from .dead_letters import Attempt, BulkAction, BulkPreview, DeadLetter, Redrive
from .events import Appended, Delivery, Event, Gap, OpenDelivery
from .groups import Committed, Group, GroupProgress, PartitionProgress, Seek, SeekOfPartition
from .keys import ApiKey, Caller, CallerKey, NewApiKey, Producer, ProducerKey, ProducerStream, User
from .stats import GroupStanding, MinuteOfStream, StreamStats, TypeCount
from .streams import Retention, RetentionForecast, Stream

__all__ = [
    "ApiKey",
    "Appended",
    "Attempt",
    "BulkAction",
    "BulkPreview",
    "Caller",
    "CallerKey",
    "Committed",
    "DeadLetter",
    "Delivery",
    "Event",
    "Gap",
    "Group",
    "GroupProgress",
    "GroupStanding",
    "MinuteOfStream",
    "NewApiKey",
    "OpenDelivery",
    "PartitionProgress",
    "Producer",
    "ProducerKey",
    "ProducerStream",
    "Redrive",
    "Retention",
    "RetentionForecast",
    "Seek",
    "SeekOfPartition",
    "Stream",
    "StreamStats",
    "TypeCount",
    "User",
]
