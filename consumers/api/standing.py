"""What a request of a hot verb stands on: its caller, its stream and its group, as they are at this moment."""

from functools import partial

from django.http import HttpRequest

from accounts.caller import Caller, caller_of
from accounts.http.hang_up import call_on_hang_up, check_still_there
from accounts.http.lean import LeanView
from accounts.roles import Right
from consumers.access import GroupRight
from consumers.errors import ConsumerGroupNotFound
from consumers.models import ConsumerGroup
from consumers.queries import checked_group, get_group_for_hot_verb
from consumers.services.offsets import require_going_on
from consumers.services.standing import PartitionsAdded, Standing
from streams.errors import StreamNotFound
from streams.lookup import StreamInfo, require_stream_async


async def find_stream_and_group(request: HttpRequest, stream: str, group: str) -> tuple[StreamInfo, ConsumerGroup]:
    """Return the stream and the group that an address names, if the caller may use the group.

    Raises:
        StreamNotFound, ScopeMissing, ConsumerGroupNotFound
    """
    caller = caller_of(request)
    found = await require_stream_async(caller, stream, Right.CONSUME)
    return found, await require_group_in_use(caller, found, group)


async def require_group_in_use(caller: Caller, stream: StreamInfo, name: str) -> ConsumerGroup:
    """Return a stream's group by name, as it was at most a second ago, for a caller who may use it.

    Raises:
        ConsumerGroupNotFound, ScopeMissing
    """
    return checked_group(caller, stream, await get_group_for_hot_verb(stream, name), GroupRight.USE)


def standing_of(view: LeanView, request: HttpRequest, stream: StreamInfo, group: ConsumerGroup | None) -> Standing:
    """Return what a request that is about to wait stands on."""

    async def look_again() -> ConsumerGroup | None:
        await view.admit(request)
        found = await require_stream_async(caller_of(request), stream.name, Right.CONSUME)
        if found.id != stream.id:
            # Another one by the same name: what was asked for is gone.
            raise StreamNotFound
        if len(found.partitions) > len(stream.partitions):
            raise PartitionsAdded
        if group is None:
            return None
        current = await require_group_in_use(caller_of(request), found, group.name)
        if current.pk != group.pk:
            raise ConsumerGroupNotFound
        require_going_on(current)
        return current

    credential = (request.META.get("HTTP_X_API_KEY"), request.META.get("HTTP_AUTHORIZATION"))
    return Standing(
        key=(type(view), credential, stream.id, len(stream.partitions), group and group.pk),
        look=look_again,
        check_still_there=partial(check_still_there, request),
        on_hang_up=partial(call_on_hang_up, request),
    )
