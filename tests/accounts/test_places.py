"""Places are shared: whoever is alone gets nearly all of them, and there is room for a newcomer."""

from contextlib import ExitStack
from itertools import count

import pytest

from accounts.caller import Caller
from accounts.errors import RateLimited
from accounts.limits.places import Places


class NoPlace(Exception):
    pass


def caller(user_id: int, key_id: str = "k") -> Caller:
    return Caller(user_id=user_id, email="p@example.com", roles=frozenset(), key_id=f"{key_id}{user_id}")


def fill(places: Places, who: Caller, held: ExitStack) -> int:
    """Take as many places as one can get; return how many."""
    for taken in count():
        try:
            held.enter_context(places.hold(who))
        except RateLimited:
            return taken
    raise AssertionError("there is always another number")


def test_one_key_alone_gets_ten_of_eleven_and_its_owner_a_little_more():
    with ExitStack() as held:
        places = Places("waiting", 1_100, NoPlace)
        assert fill(places, caller(1), held) == 1_000
        assert fill(places, caller(1, "other"), held) > 0


def test_one_owner_leaves_room_for_another_whatever_their_keys():
    with ExitStack() as held:
        places = Places("waiting", 1_050, NoPlace)
        taken = sum(fill(places, caller(1, f"key{number}"), held) for number in range(50))
        assert taken == 1_000
        assert fill(places, caller(2), held) > 20


def test_what_was_given_back_is_free_for_all():
    places = Places("waiting", 110, NoPlace)
    with ExitStack() as held:
        fill(places, caller(1), held)
    with ExitStack() as held:
        assert fill(places, caller(2), held) == 100


def test_it_is_told_which_bucket_and_whose():
    with ExitStack() as held:
        places = Places("waiting", 11, NoPlace)
        fill(places, caller(1), held)
        with pytest.raises(RateLimited) as refused, places.hold(caller(1)):
            pass
        assert (refused.value.bucket, refused.value.whose) == ("waiting", "key")


def test_none_is_left():
    places = Places("waiting", 2, NoPlace)
    with places.hold(caller(1)), places.hold(caller(2)), pytest.raises(NoPlace), places.hold(caller(3)):
        pass
    with places.hold(caller(3)):
        pass
