"""Schemas, grants and the keys that a group holds up, as typed values."""

import asyncio

import msgspec
import pytest
from eventflow_client import AsyncEventFlow, EventFlow, NewEvent, problems

from tests.factories import make_key, make_owner, make_stream

pytestmark = pytest.mark.processes
ORDER = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
LOOSE = {"type": "object", "properties": {"n": {"type": ["integer", "string"]}}}


# --- schemas ---


def test_a_schema_is_inferred_checked_registered_and_looked_at(client, orders):
    client.send_many([NewEvent(orders, {"n": n}, type="order.created") for n in range(3)])
    client.send(orders, {"n": "four"}, type="order.created")

    proposal = client.schemas.infer(orders, "order.created")
    assert (proposal.type, proposal.event_count) == ("order.created", 4)
    checked = client.schemas.check(orders, "order.created", ORDER)
    assert (checked.is_compatible, checked.compared_with) == (True, None)
    assert (checked.checked_count, checked.invalid_count) == (4, 1)
    (misfit,) = checked.invalid
    assert (misfit.offset, misfit.errors[0].pointer) == (4, "/payload/n")
    assert client.schemas.check(orders, "order.created", ORDER, last=1).checked_count == 1

    made = client.schemas.register(orders, "order.created", ORDER, compatibility="backward")

    assert (made.type, made.version, made.compatibility, made.schema) == ("order.created", 1, "backward", ORDER)
    assert client.schemas.register(orders, "order.created", ORDER).version == 1
    assert client.schemas.get(orders, "order.created") == client.schemas.get(orders, "order.created", 1)
    assert [each.version for each in client.schemas.list(orders, type="order.created")] == [1]
    assert list(client.schemas.list(orders, type="another")) == []


def test_a_version_that_breaks_its_promise_is_foreseen_and_refused(client, orders):
    client.schemas.register(orders, "t", LOOSE, compatibility="backward")

    foreseen = client.schemas.check(orders, "t", ORDER)

    assert not foreseen.is_compatible
    assert foreseen.compared_with == 1
    assert {each.breaks for each in foreseen.breaks} == {"backward"}
    with pytest.raises(problems.Incompatible):
        client.schemas.register(orders, "t", ORDER)
    assert client.schemas.register(orders, "t", ORDER, compatibility="none").version == 2


def test_a_schema_keeps_numbers_of_any_size(client, orders):
    made = client.schemas.register(orders, "t", msgspec.Raw(b'{"maximum": 1180591620717411303424}'))

    assert made.schema == {"maximum": 2**70}


def test_what_is_no_schema_and_what_is_not_there_are_told(client, orders):
    with pytest.raises(problems.InvalidSchema):
        client.schemas.register(orders, "t", {"type": "nothing"})
    with pytest.raises(problems.SchemaNotFound):
        client.schemas.get(orders, "t")


def test_false_is_a_schema_that_nothing_fits(client, orders):
    client.send(orders, 1, type="t")

    assert client.schemas.check(orders, "t", False).invalid_count == 1


# --- rights ---


def test_a_right_to_a_stream_is_given_seen_and_taken_back(web, owner, client):
    stream = make_stream(owner=owner, visibility="restricted").name
    other = make_owner()
    with EventFlow(web.url, key=make_key(other)) as stranger:
        with pytest.raises(problems.StreamNotFound):
            stranger.streams.get(stream)

        given = client.streams.grants(stream).give(["consume"], user=other.email)

        assert (given.user, given.team, given.rights) == (other.email, None, ["consume"])
        assert list(client.streams.grants(stream).list()) == [given]
        assert stranger.streams.get(stream).name == stream
        more = client.streams.grants(stream).give(["consume", "produce"], user=other.email)
        assert (more.id, sorted(more.rights)) == (given.id, ["consume", "produce"])
        client.streams.grants(stream).take_back(given.id)
        with pytest.raises(problems.StreamNotFound):
            stranger.streams.get(stream)
    assert list(client.streams.grants(stream).list()) == []


def test_a_right_to_a_group_is_given_seen_and_taken_back(web, owner, client, orders):
    other = make_owner()
    client.groups.create(orders, "readers")
    grants = client.groups.grants(orders, "readers")

    given = grants.give(["use"], user=other.email)

    with EventFlow(web.url, key=make_key(other)) as teammate:
        client.send(orders, 1)
        assert teammate.groups.commit(orders, "readers", {0: 1})[0].status == "committed"
        assert [each.id for each in grants.list()] == [given.id]
        grants.take_back(given.id)
        with pytest.raises(problems.Problem):
            teammate.groups.commit(orders, "readers", {0: 1})


def test_a_right_needs_somebody(client, orders):
    with pytest.raises(problems.InvalidRequest):
        client.streams.grants(orders).give(["consume"])


# --- keys that are held up ---


def test_the_keys_that_hold_up_events_are_told_with_what_holds_them(client, orders):
    client.groups.create(orders, "workers", mode="lease", ordering="key")
    client.send_many([NewEvent(orders, n, key="slow" if n < 3 else "quick") for n in range(4)])
    group = f"/streams/{orders}/consumer-groups/workers"
    client.request("POST", f"{group}/lease", {"consumer": "worker-1"})

    found = client.groups.held_keys(orders, "workers")

    assert found.held_up == 2 <= found.most
    (slow,) = found.keys
    assert (slow.key, slow.held_up, slow.offset, slow.state, slow.leased_by) == ("slow", 2, 1, "leased", "worker-1")
    assert slow.expires_at is not None


def test_asyncio_has_the_same(web, key, orders):
    async def work() -> None:
        async with AsyncEventFlow(web.url, key=key) as client:
            await client.schemas.register(orders, "t", ORDER)
            assert [each.type async for each in client.schemas.list(orders)] == ["t"]
            await client.groups.create(orders, "workers", mode="lease", ordering="key")
            assert (await client.groups.held_keys(orders, "workers")).keys == []
            assert [each async for each in client.groups.grants(orders, "workers").list()] == []

    asyncio.run(work())
