"""Consumer groups, deliveries and dead letters in the admin."""

from consumers.admin.dead_letters import DeadLetterAdmin
from consumers.admin.deliveries import BulkActionAdmin, DeliveryAdmin
from consumers.admin.groups import ConsumerGroupAdmin

__all__ = ["BulkActionAdmin", "ConsumerGroupAdmin", "DeadLetterAdmin", "DeliveryAdmin"]
