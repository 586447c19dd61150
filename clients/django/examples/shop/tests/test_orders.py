"""The example's own tests: nothing has to run beside them."""

import json

from django.test import TestCase
from eventflow_django.testing import capture_events, in_memory_eventflow
from orders.models import Invoice, Order
from orders.services import place_order


class Orders(TestCase):
    def test_an_order_is_told_of(self) -> None:
        with capture_events() as events:
            order = place_order(customer="Ada", cents=1990)
        (event,) = events
        assert (event.stream, event.type, event.key) == ("orders", "order.placed", "customer-Ada")
        assert event.payload == {"order_id": order.pk, "cents": 1990}

    def test_an_order_over_http_becomes_an_invoice(self) -> None:
        with in_memory_eventflow("orders") as eventflow:
            body = json.dumps({"customer": "Ada", "cents": 1990})
            answer = self.client.post("/orders", body, content_type="application/json")
            assert answer.status_code == 201
            eventflow.deliver()
        assert [invoice.order_id for invoice in Invoice.objects.all()] == [Order.objects.get().pk]
