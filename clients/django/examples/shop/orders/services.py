from django.db import transaction
from eventflow_django import NewEvent, publish

from .models import Order


@transaction.atomic
def place_order(*, customer: str, cents: int) -> Order:
    """Store an order, and tell of it: both or neither."""
    order = Order.objects.create(customer=customer, cents=cents)
    payload = {"order_id": order.pk, "cents": cents}
    publish(NewEvent("orders", payload, type="order.placed", key=f"customer-{customer}"))
    return order
