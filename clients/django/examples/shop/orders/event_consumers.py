from eventflow_django import Event, GiveUp, consumer

from .models import Invoice


@consumer("invoices", stream="orders", once=True, ack_wait=10, max_failures=3)
def write_invoice(event: Event) -> None:
    """Write the invoice of an order; the mark that it is written is committed with it."""
    if event.type != "order.placed":
        return
    if event.payload["cents"] == 0:
        raise GiveUp("there is nothing to pay")
    Invoice.objects.create(order_id=event.payload["order_id"], cents=event.payload["cents"])
