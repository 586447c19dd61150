"""Consumer groups and their offsets, deliveries, and dead letters."""

from consumers.models.dead_letters import BulkAction, BulkKind, DeadLetter, DeadLetterAttempt, Redrive
from consumers.models.deliveries import Delivery, DeliveryHistory, EndedLease
from consumers.models.groups import (
    ConsumerGroup,
    GroupGrant,
    GroupMember,
    GroupOffset,
    Mode,
    Ordering,
    Start,
    UnfinishedSighting,
    default_backoff,
)

__all__ = [
    "BulkAction",
    "BulkKind",
    "ConsumerGroup",
    "DeadLetter",
    "DeadLetterAttempt",
    "Delivery",
    "DeliveryHistory",
    "EndedLease",
    "GroupGrant",
    "GroupMember",
    "GroupOffset",
    "Mode",
    "Ordering",
    "Redrive",
    "Start",
    "UnfinishedSighting",
    "default_backoff",
]
