"""Whoever moves a stream is killed at every statement: the move goes on, or is ended, and no event is elsewhere."""

import itertools

import pytest
from django.utils import timezone

from streams.models import Stream, StreamMove
from streams.services.moving.asking import abort_move, ask_for_move, find_move_under_way
from streams.services.moving.steps import carry_on_moves, carry_out
from tests.client import ApiClient
from tests.factories import make_key, make_owner, make_stream
from tests.streams.dying import dying
from tests.streams.test_moves import append, read_all


@pytest.fixture
def shop(distant):
    owner = make_owner()
    make_stream("orders", owner=owner, partitions=2)
    return ApiClient(key=make_key(owner))


@pytest.mark.parametrize("ending", ["carried on", "ended by hand"])
def test_it_may_be_killed_before_any_statement(shop, ending):
    told, deaths = append(shop, 0), {"distant": 0, "postgres": 0}
    for target in deaths:
        for number in itertools.count():
            stream = Stream.objects.get()
            move = ask_for_move(stream=stream, target=target, allow_weak=True)
            with dying(before_statement=number) as has_died:
                carry_out(move)
            if not has_died():
                break
            deaths[target] += 1
            move.refresh_from_db()
            if move.finished_at is None:
                settle(stream, ending)
            told |= append(shop, len(told))
            # Back to where it was, for the next death.
            if Stream.objects.get().engine == target:
                carry_out(ask_for_move(stream=Stream.objects.get(), target=move.source, allow_weak=True))
        told |= append(shop, len(told))
        assert Stream.objects.get().engine == target
    assert read_all(shop) == told
    assert min(deaths.values()) > 10


def settle(stream, ending):
    if ending == "ended by hand":
        abort_move(move=find_move_under_way(stream))
        return
    # As when its worker has said nothing for a while.
    StreamMove.objects.filter(finished_at=None).update(worked_until=timezone.now())
    assert carry_on_moves() == 1
