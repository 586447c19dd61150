"""Lease mode: the server hands out events, each to one member at a time, and retries."""

from consumers.services.leasing.answer import Leased, LeasedDelivery, LostRange
from consumers.services.leasing.expiry import expire_leases
from consumers.services.leasing.held import HeldDelivery, list_held_in_browsers
from consumers.services.leasing.lease import lease_deliveries, lease_deliveries_async
from consumers.services.leasing.outcomes import (
    ack_deliveries,
    ack_deliveries_async,
    extend_leases,
    extend_leases_async,
    nack_deliveries,
    nack_deliveries_async,
    release_deliveries,
    release_deliveries_async,
)
from consumers.services.leasing.references import Ack, DeliveryResult, LeaseRef, LeaseResult, Nack

__all__ = [
    "Ack",
    "DeliveryResult",
    "HeldDelivery",
    "LeaseRef",
    "LeaseResult",
    "Leased",
    "LeasedDelivery",
    "LostRange",
    "Nack",
    "ack_deliveries",
    "ack_deliveries_async",
    "expire_leases",
    "extend_leases",
    "extend_leases_async",
    "lease_deliveries",
    "lease_deliveries_async",
    "list_held_in_browsers",
    "nack_deliveries",
    "nack_deliveries_async",
    "release_deliveries",
    "release_deliveries_async",
]
