"""Disks as full as a test wants them."""

from datetime import timedelta

from django.utils import timezone

from observability.models import DiskSample

GIB = 2**30


def sample(used_percent, *, full_in=None, ago=0):
    at = timezone.now() - timedelta(seconds=ago)
    full_at = None if full_in is None else at + timedelta(seconds=full_in)
    DiskSample.objects.create(
        period=at, measured_at=at, used_bytes=used_percent * GIB, capacity_bytes=100 * GIB, full_at=full_at
    )
