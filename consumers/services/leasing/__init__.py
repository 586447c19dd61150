"""Lease mode: the server hands out events, each to one member at a time, and retries."""

from consumers.services.leasing.answer import Leased, LeasedDelivery, LostRange
from consumers.services.leasing.expiry import expire_leases
from consumers.services.leasing.lease import lease_deliveries, lease_deliveries_async
from consumers.services.leasing.outcomes import (
    Ack,
    DeliveryResult,
    LeaseRef,
    LeaseResult,
    Nack,
    ack_deliveries,
    extend_leases,
    nack_deliveries,
    release_deliveries,
)

__all__ = [
    "Ack",
    "DeliveryResult",
    "LeaseRef",
    "LeaseResult",
    "Leased",
    "LeasedDelivery",
    "LostRange",
    "Nack",
    "ack_deliveries",
    "expire_leases",
    "extend_leases",
    "lease_deliveries",
    "lease_deliveries_async",
    "nack_deliveries",
    "release_deliveries",
]
