"""A group that is deleted while somebody works with it: they are told that it is gone, not that the server failed."""

import pytest

from accounts.waits import run_blocking
from consumers.errors import ConsumerGroupNotFound
from consumers.models import ConsumerGroup, GroupMember
from consumers.services.groups import GroupSettings, change_group, create_group, delete_group
from consumers.services.leasing import lease_deliveries
from consumers.services.members import note_member_async
from streams.errors import StreamNotFound
from streams.models import Stream
from streams.services.lifecycle import delete_stream
from tests.consumers.leases import ack, info, lease_one, make_lease_group, produce

pytestmark = pytest.mark.usefixtures("db_with_commits")


@pytest.fixture
def deleted():
    """A group as somebody has it who looked it up a moment ago, with its stream and what it had leased."""
    group = make_lease_group()
    produce(group, 3)
    delivery = lease_one(group)
    stream = info(group)
    delete_group(group=ConsumerGroup.objects.get(pk=group.pk), confirm=group.name)
    return group, stream, delivery


def test_it_hands_out_nothing_and_its_leases_are_lost(deleted):
    group, stream, delivery = deleted
    assert lease_deliveries(stream=stream, group=group, consumer="w", max_events=5).deliveries == []
    assert ack(group, delivery) == ["lease_lost"]


def test_a_member_is_not_noted(deleted):
    group, *_ = deleted
    run_blocking(note_member_async(group_id=group.pk, name="somebody new"))
    assert not GroupMember.objects.exists()


def test_it_cannot_be_changed(deleted):
    group, *_ = deleted
    with pytest.raises(ConsumerGroupNotFound):
        change_group(group=group, changes={"is_paused": True})


def test_none_is_made_on_a_stream_that_is_gone(deleted):
    _, stream, _ = deleted
    delete_stream(stream=Stream.objects.get(pk=stream.id), confirm=stream.name)
    with pytest.raises(StreamNotFound):
        create_group(stream=stream, name="late", settings=GroupSettings(), owner=stream.access.owner)
