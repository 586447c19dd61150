"""A lease takes no longer because much waits."""

import time

import pytest

from tests.consumers.leases import ack, lease, make_lease_group, produce
from tests.consumers.plans import HANDED_OUT, fill
from tests.factories import make_stream

pytestmark = [pytest.mark.usefixtures("db_with_commits"), pytest.mark.slow("hands out 100,000 events and vacuums them")]


@pytest.mark.parametrize("is_due", [False, True], ids=["waiting", "due"])
def test_a_group_with_100_000_waiting_failures_leases_as_fast_as_one_with_ten(is_due):
    """Medians of alternating turns, so that what else the machine does meets both alike."""
    stream = make_stream()
    few, many = (make_lease_group(stream=stream, max_in_flight=1_000_000) for _ in range(2))
    produce(few, HANDED_OUT + 5_000)
    fill(few, waiting=10, past_due=is_due)
    fill(many, waiting=HANDED_OUT, past_due=is_due)
    times: dict[int, list[float]] = {few.pk: [], many.pk: []}
    for _ in range(60):
        for group in (few, many):
            started = time.perf_counter()
            ack(group, *lease(group, 50).deliveries)
            times[group.pk].append(time.perf_counter() - started)
    median = {pk: sorted(taken)[len(taken) // 2] for pk, taken in times.items()}
    if is_due:
        # Here the answers differ: half of each is 25 single failures, of which the other soon has none left.
        assert median[many.pk] <= 2.5 * median[few.pk], median
    else:
        assert median[many.pk] <= 1.5 * median[few.pk], median
