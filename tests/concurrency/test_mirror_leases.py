"""Who has a mirror: one worker at a time, and nobody who had it before changes anything of it."""

from datetime import timedelta

import pytest
from django.utils import timezone

from streams.models import Mirror, MirrorPosition
from streams.services.mirroring import leases
from streams.services.mirroring.leases import Advance, LeaseEnded, claim_mirrors
from tests.factories import make_stream
from tests.threads import in_threads

pytestmark = pytest.mark.usefixtures("db_with_commits")


@pytest.fixture
def mirror():
    return Mirror.objects.create(stream=make_stream(), engine="kafka", topic="orders")


def claim():
    return claim_mirrors(engines=["kafka"], not_these=[], limit=10)


def let_expire():
    Mirror.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def test_of_many_workers_that_want_mirrors_each_gets_others():
    stream = make_stream()
    Mirror.objects.bulk_create(Mirror(stream=stream, engine="kafka", topic=str(n)) for n in range(40))
    taken = in_threads([lambda: claim_mirrors(engines=["kafka"], not_these=[], limit=7)] * 8)
    ids = [lease.mirror_id for found in taken for lease in found]
    assert len(ids) == len(set(ids))
    while more := claim():
        ids += [lease.mirror_id for lease in more]
    assert len(ids) == len(set(ids)) == 40


def test_one_that_somebody_has_is_nobody_elses_until_its_lease_runs_out(mirror):
    [first] = claim()
    assert first.was_let_go
    assert claim() == []
    let_expire()
    [second] = claim()
    assert not second.was_let_go
    assert second.token != first.token


def test_whoever_had_it_before_changes_nothing(mirror):
    [before] = claim()
    let_expire()
    [now] = claim()
    leases.advance(now, [Advance(0, 5, 5, copied=5)])
    as_it_was = Mirror.objects.values().get()
    for act in (
        lambda: leases.renew(before),
        lambda: leases.advance(before, [Advance(0, 9, 9, copied=9)]),
        lambda: leases.note_failure(before, "it hung"),
        lambda: leases.note_success(before),
    ):
        with pytest.raises(LeaseEnded):
            act()
    leases.let_go(before)
    assert Mirror.objects.values().get() == as_it_was
    assert MirrorPosition.objects.values_list("position", "topic_end", "copied_count").get() == (5, 5, 5)


def test_one_that_was_let_go_is_had_at_once(mirror):
    [lease] = claim()
    leases.let_go(lease)
    [again] = claim()
    assert again.was_let_go


@pytest.mark.parametrize("change", [{"is_paused": True}, {"is_ending": True}, {"engine": "elsewhere"}])
def test_one_that_is_paused_ending_or_elsewhere_is_not_taken(mirror, change):
    Mirror.objects.update(**change)
    assert claim() == []


def test_one_that_was_deleted_goes_when_its_worker_lets_go_or_is_not_heard_of(mirror):
    [lease] = claim()
    Mirror.objects.update(is_ending=True)
    assert leases.clear_ended_mirrors() == 0
    leases.let_go(lease)
    assert not Mirror.objects.exists()
    Mirror.objects.create(stream=make_stream(), engine="kafka", topic="more")
    claim()
    Mirror.objects.update(is_ending=True)
    let_expire()
    assert leases.clear_ended_mirrors() == 1
    assert not Mirror.objects.exists()


def test_positions_never_go_back(mirror):
    [lease] = claim()
    for position in (5, 3):
        leases.advance(lease, [Advance(0, position, position)])
    assert MirrorPosition.objects.get().position == 5
