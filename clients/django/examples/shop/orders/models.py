from django.db import models


class Order(models.Model):
    customer = models.CharField(max_length=100)
    cents = models.PositiveIntegerField()


class Invoice(models.Model):
    """Written by the consumer, once for each order: nothing here would refuse a second one."""

    order_id = models.PositiveBigIntegerField()
    cents = models.PositiveIntegerField()
