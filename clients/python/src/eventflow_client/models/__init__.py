"""What the server answers with, as typed values."""

from .dead_letters import Attempt, BulkAction, BulkPreview, DeadLetter, Redrive
from .events import Appended, Delivery, Event, Gap, OpenDelivery
from .grants import Grant
from .groups import Committed, Group, GroupProgress, PartitionProgress, Seek, SeekOfPartition
from .held_keys import HeldKey, HeldKeys
from .keys import ApiKey, Caller, CallerKey, NewApiKey, Producer, ProducerKey, ProducerStream, User
from .schemas import Fault, Misfit, Schema, SchemaCheck, SchemaProposal
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
    "Fault",
    "Gap",
    "Grant",
    "Group",
    "GroupProgress",
    "GroupStanding",
    "HeldKey",
    "HeldKeys",
    "MinuteOfStream",
    "Misfit",
    "NewApiKey",
    "OpenDelivery",
    "PartitionProgress",
    "Producer",
    "ProducerKey",
    "ProducerStream",
    "Redrive",
    "Retention",
    "RetentionForecast",
    "Schema",
    "SchemaCheck",
    "SchemaProposal",
    "Seek",
    "SeekOfPartition",
    "Stream",
    "StreamStats",
    "TypeCount",
    "User",
]
