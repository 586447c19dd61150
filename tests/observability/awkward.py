"""An installation in which numbers are easy to get wrong."""

import uuid
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from accounts.models import User
from accounts.roles import Role
from consumers.models import ConsumerGroup, Delivery, GroupOffset
from observability.numbers.rollups import roll_up
from streams.log import get_log
from streams.lookup import load_stream
from streams.models import Partition, Stream
from tests.factories import make_dead_letter, make_group, make_stream, make_user
from tests.observability.appending import append, pretend_recorded


@dataclass(frozen=True)
class Figures:
    """What is true of a group, worked out by hand."""

    lag: tuple[int, ...]
    lag_seconds: float | None = None
    missing: int = 0
    lost: tuple[int, ...] = (0, 0)
    in_flight: int = 0
    waiting: int = 0
    suspected: int = 0
    exhausted: int = 0
    dead_letters: int = 0


# By stream and group; `lag` and `lost` have the partitions one by one.
GROUPS = {
    # Behind the trim: of partition 0 it finished 2 of 10, and 3 to 6 are gone.
    ("orders", "billing"): Figures(lag=(4, 0), lag_seconds=500, missing=4, lost=(4, 0), dead_letters=1),
    # Two are leased; an expired lease of one, two that a consumer died with and one that was redriven wait; one is out of
    # attempts.
    ("orders", "shipping"): Figures(
        lag=(4, 5), lag_seconds=500, in_flight=2, waiting=4, suspected=2, exhausted=1, dead_letters=2
    ),
    # Its only lease has expired, and nobody can lease again.
    ("orders", "held"): Figures(lag=(4, 3), lag_seconds=500, missing=6, lost=(6, 0), waiting=3),
    ("orders", "late"): Figures(lag=(0, 0)),
    ("quiet", "nobody"): Figures(lag=(0,), lost=(0,)),
}
EVENTS_KEPT = {"orders": 9, "quiet": 0}
EVENTS_EVER = {"orders": 15, "quiet": 0}
OPEN_DEAD_LETTERS = 3


def make_awkward_installation() -> User:
    """Make it; return an admin, who sees all of it and may consume."""
    owner = make_user(Role.ADMIN, Role.PRODUCER, Role.CONSUMER)
    orders, quiet = make_stream("orders", owner=owner, partitions=2), make_stream("quiet", owner=owner)
    _fill(orders)
    groups = {
        name: make_group(stream, name, mode=mode, start=start)
        for stream, name, mode, start in (
            (orders, "billing", "offset", "earliest"),
            (orders, "shipping", "lease", "earliest"),
            (orders, "held", "lease", "earliest"),
            (orders, "late", "offset", "latest"),
            (quiet, "nobody", "lease", "earliest"),
        )
    }
    _stand(groups["billing"], 2, 5)
    _stand(groups["shipping"], 6, 0)
    _stand(groups["held"], 0, 2)
    ConsumerGroup.objects.filter(pk=groups["held"].pk).update(is_paused=True)
    _hand_out(groups["shipping"], groups["held"])
    now = timezone.now()
    make_dead_letter(groups["billing"], 1)
    make_dead_letter(groups["billing"], 2, status="discarded", closed_at=now)
    make_dead_letter(groups["shipping"], 1)
    make_dead_letter(groups["shipping"], 2, reason="terminal")
    make_dead_letter(groups["shipping"], 3, status="resolved", closed_at=now)
    return owner


def _fill(orders: Stream) -> None:
    """Ten events and five; the first six are rolled up and taken by retention, some are not rolled up yet."""
    append(orders, "a", "a", "a")
    append(orders, "a", "b", "b")
    append(orders, "b", "b", "c", "c", payload="x" * 100)
    append(orders, "a", "b", partition=1)
    roll_up(seconds=60)
    append(orders, "a", "b", "c", partition=1, payload="y" * 200)
    long_ago = timezone.now() - timedelta(seconds=500)
    pretend_recorded(orders, 10, long_ago)
    pretend_recorded(orders, 2, long_ago, partition=1)
    info = load_stream("orders")
    assert info is not None
    assert get_log().trim(info.partitions[0], keep_events=4) == 6


def _stand(group: ConsumerGroup, *offsets: int) -> None:
    for number, offset in enumerate(offsets):
        place = GroupOffset.objects.filter(group=group, partition__number=number)
        place.update(committed_offset=offset, dispatched_offset=offset)


def _hand_out(shipping: ConsumerGroup, held: ConsumerGroup) -> None:
    now, hour = timezone.now(), timedelta(hours=1)
    first, second = Partition.objects.filter(stream=shipping.stream).order_by("number")
    redriven = make_dead_letter(shipping, 4, status="redriven")
    leased = {"state": "leased", "delivery_count": 1, "leased_by": "worker", "leased_at": now - hour}

    def deliver(group: ConsumerGroup, partition: Partition, first: int, last: int, **fields: object) -> None:
        token = uuid.uuid4() if fields["state"] == "leased" else None
        Delivery.objects.create(
            group=group,
            partition=partition,
            first_offset=first,
            last_offset=last,
            lease_token=token,
            created_at=now - hour,
            **fields,
        )

    deliver(shipping, first, 7, 8, lease_expires_at=now + hour, **leased)
    deliver(shipping, first, 9, 9, lease_expires_at=now - timedelta(minutes=1), **leased)
    suspected = {"delivery_count": 1, "failure_count": 1, "suspect_limit": 2}
    deliver(shipping, second, 1, 2, state="waiting", available_at=now + hour, **suspected)
    deliver(
        shipping, second, 3, 3, state="exhausted", delivery_count=5, failure_count=5, exhausted_reason="max_failures"
    )
    deliver(shipping, first, 4, 4, state="waiting", available_at=now, dead_letter=redriven, round=1)
    deliver(held, second, 3, 5, lease_expires_at=now - timedelta(minutes=1), **leased)
