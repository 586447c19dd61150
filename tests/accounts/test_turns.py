"""Where all wait for the same, each has a turn, however many requests one of them brings."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.errors import RateLimited
from accounts.lent_threads import LentThreads
from accounts.limits import places
from accounts.limits.places import check_reads_in_line
from accounts.turns import Names, Turns, current_names


def waiting(*names: str) -> Turns[str]:
    """A queue of items that bear the names they wait under, like `ann/k1`, and their numbers."""
    turns: Turns[str] = Turns()
    for number, name in enumerate(names):
        turns.put(f"{name} {number}", tuple(name.split("/")) if name else ())
    return turns


def order(turns: Turns[str]) -> list[str]:
    return [turns.take().partition(" ")[0] for _ in range(len(turns))]


def test_a_crowd_waits_no_longer_than_for_each_other_owner_once():
    turns = waiting(*["ann"] * 100, "bob", "eve")
    assert order(turns)[:4] == ["ann", "bob", "eve", "ann"]


def test_keys_take_turns_within_their_owner_and_get_no_more_by_being_many():
    turns = waiting("ann/1", "ann/1", "ann/2", "ann/3", "bob/1", "bob/1")
    assert order(turns) == ["ann/1", "bob/1", "ann/2", "bob/1", "ann/3", "ann/1"]


def test_what_is_for_nobody_in_particular_goes_first():
    assert order(waiting("ann", "ann", "")) == ["", "ann", "ann"]


def test_nobody_waits():
    with pytest.raises(IndexError):
        Turns().take()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy")), max_size=60))
def test_each_comes_once_in_the_order_of_its_line_and_no_owner_twice_while_another_waits(names: list[Names]):
    turns: Turns[tuple[Names, int]] = Turns()
    for number, each in enumerate(names):
        turns.put((each, number), each)
    assert turns.lengths(("a", "x")) == [sum(owner == "a" for owner, _ in names), names.count(("a", "x"))]
    taken = [turns.take() for _ in names]
    assert sorted(number for _, number in taken) == list(range(len(names)))
    for each in set(names):
        numbers = [number for name, number in taken if name == each]
        assert numbers == sorted(numbers)
    owners = [owner for (owner, _), _ in taken]
    for index, owner in enumerate(owners):
        rest = owners[index + 1 :]
        if owner in rest:
            between = rest[: rest.index(owner)]
            assert set(between) == set(rest) - {owner}, "somebody had two turns while another waited"
            assert len(between) == len(set(between))


def test_threads_are_lent_in_turn():
    done: list[str] = []

    async def main() -> None:
        threads = LentThreads("test", size=1, patience_seconds=10.0, refusal=RuntimeError)

        async def ask(*names: str) -> None:
            current_names.set(names)
            await threads.run(lambda: done.append(names[0]))

        await asyncio.gather(*(ask("ann", "key") for _ in range(50)), ask("bob", "key"))
        threads.close()

    asyncio.run(main())
    assert len(done) == 51
    assert done.index("bob") <= 2


def test_a_key_with_too_many_in_line_is_told_so_and_another_is_not(monkeypatch):
    monkeypatch.setattr(places, "MAX_READS_IN_LINE", (6, 4))

    async def main() -> list[object]:
        threads = LentThreads(
            "test", size=1, patience_seconds=10.0, refusal=RuntimeError, check_line=check_reads_in_line
        )

        async def ask(*names: str) -> str:
            current_names.set(names)
            return await threads.run(lambda: "/".join(names))

        keys = ["1"] * 6 + ["2"] * 4
        asked = [*(ask("ann", key) for key in keys), ask("bob", "1"), ask()]
        found = await asyncio.gather(*asked, return_exceptions=True)
        threads.close()
        return list(found)

    answers = asyncio.run(main())
    refused = [error for error in answers if isinstance(error, RateLimited)]
    # One of them got the thread itself; then four of one key fill its line, and two more that of the owner.
    assert [error.bucket for error in refused] == ["reads"] * 3
    assert [error.whose for error in refused] == ["key", "owner", "owner"]
    assert answers[-2:] == ["bob/1", ""]
