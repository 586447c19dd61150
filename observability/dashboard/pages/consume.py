"""Consuming from the browser: look, then commit, park, ack, nack or release, exactly as a program would."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.errors import InvalidParameter
from accounts.http.parameters import whole_number
from accounts.permissions import MayConsume
from accounts.roles import Right
from consumers.access import GroupRight
from consumers.errors import LeaseLost
from consumers.models import ConsumerGroup, Mode
from consumers.progress_queries import places_of
from consumers.queries import require_group
from consumers.services.dead_letters.report import report_dead_letter
from consumers.services.leasing import (
    Ack,
    LeaseRef,
    LeaseResult,
    Nack,
    ack_deliveries,
    lease_deliveries,
    nack_deliveries,
    release_deliveries,
)
from consumers.services.members import note_member
from consumers.services.offsets import CommitOutcome, commit_offsets
from consumers.services.reading import read_events
from observability.dashboard.page import Page, Toast, is_htmx, say
from observability.dashboard.pages.dead_letters import text_of
from observability.dashboard.pages.groups import group_url
from observability.dashboard.queries.event_scan import read_positions
from observability.dashboard.queries.event_view import EventView, view_event
from observability.dashboard.queries.group_pages import describe_group
from observability.dashboard.queries.stream_pages import describe_stream
from streams.lookup import StreamInfo, require_stream

SHOWN_EVENTS = 20
READ_BYTES = 2 * 1024 * 1024
LEASE_SIZES = (1, 5, 10, 20)


@dataclass(frozen=True, slots=True)
class Skipped:
    """Offsets that come next, but for retention, which took them."""

    partition: int
    first_offset: int
    last_offset: int

    @property
    def event_count(self) -> int:
        return self.last_offset - self.first_offset + 1


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A delivery that this browser holds."""

    id: int
    token: str
    partition: int
    first_offset: int
    last_offset: int
    delivery_count: int
    failure_count: int
    expires_at: datetime
    events: tuple[EventView, ...]
    is_redrive: bool


class Consume(Page):
    """Offset mode: what comes next, and commit. Lease mode: lease, look, and say what became of it."""

    section = "groups"
    permission_classes = (MayConsume,)
    template = "dashboard/consume.html"

    def get(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        heading = describe_stream(self.caller, stream, Right.CONSUME)
        found = _used(self, heading.info, group)
        context: dict[str, Any] = {
            "stream": heading,
            "group": describe_group(self.caller, heading.info, found, now=timezone.now()),
            "tab": "consume",
            "lease_sizes": LEASE_SIZES,
        }
        if found.mode == Mode.OFFSET:
            places = places_of(found)
            reading = read_events(
                positions={
                    each: places[each.id].committed_offset for each in heading.info.partitions if each.id in places
                },
                limit=SHOWN_EVENTS,
                max_bytes=READ_BYTES,
                wait_seconds=0,
            )
            note_member(group_id=found.pk, name=f"dashboard:{self.caller.email}")
            shown = [view_event(raw) for raw in reading.events]
            ends = {event.partition: event.offset for event in shown}
            context |= {
                "events": shown,
                "commit_all": ",".join(f"{n}={ends[n]}" for n in sorted(ends)),
                "gaps": [Skipped(number, *gap) for number, gap in sorted(reading.gaps.items())],
            }
        if self.is_part("consume"):
            return self.part("dashboard/_consume_offsets.html", **context)
        return self.whole(self.template, **context)


class CommitShown(Page):
    """Commit what was looked at: all of it, or up to one event."""

    section = "groups"
    permission_classes = (MayConsume,)

    def post(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        info = require_stream(self.caller, stream, Right.CONSUME)
        offsets = read_positions(request.POST.get("offsets", ""), info.partitions)
        if not offsets:
            raise InvalidParameter("offsets", "Say which offsets, as `0=18,1=7`.")
        results = commit_offsets(stream=info, group=_used(self, info, group), offsets=offsets)
        told = ", ".join(f"partition {each.partition} at {each.committed_offset}" for each in results)
        is_new = any(each.outcome is CommitOutcome.COMMITTED for each in results)
        toast = Toast("good", "Committed", told) if is_new else Toast("info", "Somebody was further already", told)
        return _again(self, toast, stream, group)


class ParkEvent(Page):
    """The question why, then: give one event up as a dead letter and go on behind it."""

    section = "groups"
    permission_classes = (MayConsume,)

    def get(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        heading = describe_stream(self.caller, stream, Right.CONSUME)
        return self.dialog(
            "dashboard/_park.html",
            question="Park an event",
            stream=heading,
            group=_used(self, heading.info, group).name,
            partition=whole_number(request.GET.get("partition", ""), "partition"),
            offset=whole_number(request.GET.get("offset", ""), "offset", low=1),
        )

    def post(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        info = require_stream(self.caller, stream, Right.CONSUME)
        # Whose group it is comes before what the form says.
        used = _used(self, info, group)
        reason = text_of(request, "error")
        if not reason:
            raise InvalidParameter("error", "Say what is wrong with the event.")
        letter, is_new = report_dead_letter(
            stream=info,
            group=used,
            reporter=self.caller.reference,
            partition=whole_number(request.POST.get("partition", ""), "partition"),
            offset=whole_number(request.POST.get("offset", ""), "offset", low=1),
            error=reason,
        )
        title = "Parked as a dead letter" if is_new else "It was parked already"
        return _again(self, Toast("good", title, f"Dead letter {letter.pk}"), stream, group)


class Lease(Page):
    """Take some deliveries; nobody else of the group gets them until their lease is over."""

    section = "groups"
    permission_classes = (MayConsume,)

    def post(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        heading = describe_stream(self.caller, stream, Right.CONSUME)
        found = _used(self, heading.info, group)
        size = request.POST.get("max_events", "")
        name = f"dashboard:{self.caller.email}"
        leased = lease_deliveries(
            stream=heading.info,
            group=found,
            consumer=name[:64],
            max_events=int(size) if size in map(str, LEASE_SIZES) else LEASE_SIZES[1],
        )
        note_member(group_id=found.pk, name=name)
        deliveries = [
            DeliveryView(
                id=each.id,
                token=str(each.token),
                partition=each.partition,
                first_offset=each.first_offset,
                last_offset=each.last_offset,
                delivery_count=each.delivery_count,
                failure_count=each.failure_count,
                expires_at=each.expires_at,
                events=tuple(view_event(raw) for raw in each.events),
                is_redrive=each.dead_letter_id is not None,
            )
            for each in leased.deliveries
        ]
        group_page = describe_group(self.caller, heading.info, found, now=timezone.now())
        gaps = [Skipped(each.partition, each.first_offset, each.last_offset) for each in leased.gaps]
        context: dict[str, Any] = {"stream": heading, "group": group_page, "deliveries": deliveries, "gaps": gaps}
        if is_htmx(request):
            toast = None if deliveries or gaps else _nothing(found.is_paused, group_page.standing.waiting)
            return self.part("dashboard/_deliveries.html", toast=toast, **context)
        return self.whole("dashboard/consume.html", tab="consume", lease_sizes=LEASE_SIZES, **context)


class EndLease(Page):
    """Ack, nack or release one delivery."""

    section = "groups"
    permission_classes = (MayConsume,)

    def post(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        found = _used(self, require_stream(self.caller, stream, Right.CONSUME), group)
        ref = _lease_ref(request.POST.dict())
        verb = request.POST.get("verb")
        if verb == "nack":
            nack = Nack(ref.delivery_id, ref.token, text_of(request, "error"), is_terminal="terminal" in request.POST)
            results = nack_deliveries(group=found, nacks=[nack])
        elif verb == "release":
            results = release_deliveries(group=found, leases=[ref])
        else:
            results = ack_deliveries(group=found, acks=[Ack(ref.delivery_id, ref.token)])
        if results[0].result is LeaseResult.LEASE_LOST:
            raise LeaseLost([ref.delivery_id])
        toast = Toast("good", {"nack": "Nacked", "release": "Given back"}.get(verb or "", "Acked"))
        if is_htmx(request):
            # The delivery's card goes: an empty answer in its place.
            return say(HttpResponse(""), toast, **{"refresh-live": True})
        return self.done(toast, to=group_url(stream, group, "group-consume"))


def _used(page: Page, stream: StreamInfo, group: str) -> ConsumerGroup:
    return require_group(page.caller, stream, group, GroupRight.USE)


def _again(page: Page, toast: Toast, stream: str, group: str) -> HttpResponse:
    """Show what comes next."""
    if is_htmx(page.request):
        return say(HttpResponse(status=204), toast, **{"close-dialog": True, "consume-next": True})
    return page.done(toast, to=group_url(stream, group, "group-consume"))


def _nothing(is_paused: bool, waiting: int) -> Toast:  # noqa: FBT001 - two facts, one sentence
    if is_paused:
        return Toast("warn", "The group is paused", "It hands out nothing until it is resumed.")
    if waiting:
        return Toast("info", "Nothing to hand out right now", f"{waiting:,} events wait for their next attempt.")
    return Toast("info", "Nothing to hand out", "Everything is finished or in somebody's hands.")


def _lease_ref(values: Mapping[str, str]) -> LeaseRef:
    try:
        return LeaseRef(whole_number(values.get("delivery_id", ""), "delivery_id"), UUID(values.get("lease_token", "")))
    except ValueError:
        raise InvalidParameter("lease_token", "Not a lease token.") from None
