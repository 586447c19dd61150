"""A group's past, as it would have been recorded."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from consumers.models import ConsumerGroup
from observability.models import GroupMinute

# What a point of the series says.
HISTORY = ("lag", "finished", "failed", "dead_lettered")


class Clock:
    """The application's clock, which stands still until it is moved."""

    def __init__(self, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = now
        monkeypatch.setattr(timezone, "now", lambda: self.now)

    def move(self, by: timedelta) -> None:
        self.now += by


def make_sample(
    group: ConsumerGroup, at: datetime, *, lag: int = 0, finished: int = 0, failed: int = 0, dead_lettered: int = 0
) -> GroupMinute:
    return GroupMinute.objects.create(
        group=group,
        minute=at.replace(second=0, microsecond=0),
        committed_offset=0,
        head_offset=0,
        lag=lag,
        finished_count=finished,
        failed_count=failed,
        dead_letter_count=dead_lettered,
    )
