"""Handing out events: `lease_deliveries`."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import inf

from uuid_utils.compat import uuid7

from accounts.database_threads import in_database_thread
from accounts.waits import run_blocking
from consumers.conf import LEASE_IDLE_RECHECK_SECONDS, LEASE_RECHECK_SECONDS, SORTING_LOOKS
from consumers.errors import ConsumerGroupNotFound
from consumers.models import ConsumerGroup, Mode, Ordering
from consumers.services.dead_letters.move import move_exhausted
from consumers.services.leasing.answer import Leased, hand_out
from consumers.services.leasing.expiry import expire_leases
from consumers.services.leasing.lapsing import end_lapsed
from consumers.services.leasing.rows import LeaseTerms, Pulse, Taken
from consumers.services.leasing.sorting import look_ahead
from consumers.services.leasing.supply import Supply, find_supply, read_pulse
from consumers.services.leasing.take import take
from consumers.services.losses import count_losses
from consumers.services.offsets import require_mode
from consumers.services.shared_commits import share
from consumers.services.standing import Standing
from consumers.services.waiting import Look, look_until_found
from streams.lookup import StreamInfo

# What others are sorting is soon done.
_OTHERS_SECONDS = 0.005


async def lease_deliveries_async(
    *,
    stream: StreamInfo,
    group: ConsumerGroup,
    consumer: str,
    max_events: int,
    ack_wait_seconds: float | None = None,
    wait_seconds: float = 0.0,
    standing: Standing | None = None,
) -> Leased:
    """Hand out events of the group to one consumer, to nobody else until the ack wait is over.

    Waits up to `wait_seconds` where there is nothing to hand out; a waiting call holds neither a thread nor a
    connection. A paused group hands out nothing.

    Args:
        standing: looked at again after waiting, before anything is handed out.

    Raises:
        WrongMode: the group commits offsets.
        ConsumerGroupNotFound: it was deleted while this call was waiting.
    """
    require_mode(group, Mode.LEASE)
    current = group

    async def look() -> Look[Leased]:
        terms = LeaseTerms(current, uuid7(), consumer, ack_wait_seconds or current.ack_wait_seconds)
        return await share(("lease", group.pk), Taken(terms, max_events), partial(_look, stream))

    async def ask_for_the_group() -> None:
        nonlocal current
        now = None if standing is None else await standing.look_again()
        current = await in_database_thread(lambda: _current(group)) if now is None else now

    leased, waited_seconds = await look_until_found(
        look,
        partition_ids=[partition.id for partition in stream.partitions],
        wait_seconds=wait_seconds,
        after_waiting=ask_for_the_group,
        standing=standing,
    )
    # Another one: an answer of nothing is that of all who looked together.
    return replace(leased, waited_seconds=waited_seconds)


def lease_deliveries(
    *,
    stream: StreamInfo,
    group: ConsumerGroup,
    consumer: str,
    max_events: int,
    ack_wait_seconds: float | None = None,
    wait_seconds: float = 0.0,
) -> Leased:
    """Do what `lease_deliveries_async` does, in a thread that may wait."""
    return run_blocking(
        lease_deliveries_async(
            stream=stream,
            group=group,
            consumer=consumer,
            max_events=max_events,
            ack_wait_seconds=ack_wait_seconds,
            wait_seconds=wait_seconds,
        )
    )


def _look(stream: StreamInfo, leases: Sequence[Taken]) -> Callable[[], Sequence[Look[Leased] | Exception]]:
    """Lease what there is now for all who ask at once; what is returned then reads the events for each."""
    # Whoever came last knows best whether the group is paused.
    group = leases[-1].terms.group
    pulse = _tidy(group, read_pulse(group))
    look_again_seconds = _quiet_seconds(group, pulse)
    room = group.max_in_flight - pulse.in_flight
    if group.is_paused or room <= 0:
        lost = find_supply(stream, pulse, room=0).lost
        empty = Leased(lost=lost, suspected=pulse.suspected)
        nothing = Look(empty, is_worth_answering=False, heads={}, look_again_seconds=look_again_seconds)
        return lambda: [nothing] * len(leases)
    # Each for itself: a call that is tried again alone begins anew.
    leases = [Taken(taken.terms, min(taken.room, room)) for taken in leases]
    supply = _take_what_there_is(stream, group, leases, pulse)
    if supply.has_anything:
        # Who got nothing of it: others have it, and nobody is woken by their acks, or when they do not answer.
        look_again_seconds = min(LEASE_RECHECK_SECONDS, look_again_seconds)
    if supply.sorted_ids and any(taken.is_nothing for taken in leases):
        # What was sorted may wait for a time of its own.
        is_more = supply.has_more_to_sort
        look_again_seconds = _seconds_until_more(supply) if is_more else _quiet_seconds(group, read_pulse(group))
    heads = {partition_id: ends.head_offset for partition_id, ends in supply.bounds.items()}
    return lambda: [
        answer if isinstance(answer, Exception) else Look(answer, not answer.is_nothing, heads, look_again_seconds)
        for answer in hand_out(stream, group, leases, lost=supply.lost, suspected=pulse.suspected)
    ]


def _take_what_there_is(stream: StreamInfo, group: ConsumerGroup, leases: Sequence[Taken], pulse: Pulse) -> Supply:
    """Let the leases have of it, and return what there was.

    Who got nothing, where many events are sorted out, looks further; and asks, where this process went by its memory.
    """
    wanting = leases
    for looks_left in reversed(range(SORTING_LOOKS)):
        is_first = looks_left == SORTING_LOOKS - 1
        room = sum(taken.room for taken in wanting)
        supply = find_supply(stream, pulse, room=room, is_first=is_first)
        if supply.has_lost and supply.uncounted:
            count_losses(group_id=group.pk, bounds={each: supply.bounds[each] for each in supply.uncounted})
        supply = look_ahead(stream, group, supply, room=room, is_first=is_first)
        take(group, wanting, supply)
        wanting = [taken for taken in leases if taken.is_nothing and taken.room > 0]
        if not wanting or not looks_left or not (supply.has_more_to_sort or supply.is_remembered):
            break
        pulse = read_pulse(group)
    return supply


def _seconds_until_more(supply: Supply) -> float:
    """When to sort on: at once; but where it was somebody else's, or the group has changed, who waits hears of that."""
    if any(each.is_stuck for each in supply.ahead):
        return LEASE_RECHECK_SECONDS
    return _OTHERS_SECONDS if any(each.is_overtaken for each in supply.ahead) else 0.0


def _tidy(group: ConsumerGroup, pulse: Pulse) -> Pulse:
    """Do one step of the reconciler's work where it is due: deliveries must not depend on Celery."""
    if not pulse.has_expired and not pulse.has_exhausted and not pulse.has_lapsed:
        return pulse
    expire_leases(group=group)
    move_exhausted(group=group)
    end_lapsed(group=group)
    return read_pulse(group)


def _quiet_seconds(group: ConsumerGroup, pulse: Pulse) -> float:
    """How long nothing can happen that would not wake us: a timer, or another consumer's ack or nack."""
    timer = pulse.seconds_until_something
    if group.ordering != Ordering.NONE and pulse.seconds_until_lapse is not None:
        # It holds up what comes behind it until then.
        timer = min(timer or inf, pulse.seconds_until_lapse)
    if timer is None:
        return LEASE_RECHECK_SECONDS if group.is_paused else LEASE_IDLE_RECHECK_SECONDS
    # What is overdue and was not handed out is held up by something without a timer: the group is paused or has
    # enough in flight, the order wants another first, or somebody else is taking it.
    return min(LEASE_RECHECK_SECONDS, timer) if timer > 0 else LEASE_RECHECK_SECONDS


def _current(group: ConsumerGroup) -> ConsumerGroup:
    current = ConsumerGroup.objects.select_related("stream").filter(pk=group.pk).first()
    if current is None:
        raise ConsumerGroupNotFound
    return current
