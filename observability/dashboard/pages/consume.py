"""Consuming from the browser: what comes next, to commit or park, and what is held (pages/leases.py ends it)."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.errors import InvalidParameter
from accounts.http.parameters import whole_number
from accounts.permissions import MayConsume
from accounts.roles import Right
from accounts.services.sessions import SESSION_ID
from consumers.access import GroupRight
from consumers.browser_leases import browser_consumer
from consumers.models import ConsumerGroup, Mode
from consumers.progress_queries import places_of
from consumers.queries import require_group
from consumers.services.dead_letters.report import report_dead_letter
from consumers.services.offsets import CommitOutcome, commit_offsets
from consumers.services.reading import read_events
from observability.dashboard.page import Page, Toast, is_htmx, say
from observability.dashboard.pages.dead_letters import text_of
from observability.dashboard.pages.groups import group_url
from observability.dashboard.queries.event_scan import read_positions
from observability.dashboard.queries.event_view import view_event
from observability.dashboard.queries.group_pages import describe_group
from observability.dashboard.queries.held_view import READ_BYTES, HeldView, list_held_views
from observability.dashboard.queries.stream_pages import describe_stream
from streams.lookup import StreamInfo, renewed, require_stream

SHOWN_EVENTS = 20
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


class Consume(Page):
    """Offset mode: what comes next, and commit. Lease mode: what I hold, and lease more.

    To look is not to consume: whoever opens this page is no member of the group, and does not hide that its members
    are gone.
    """

    section = "groups"
    permission_classes = (MayConsume,)
    template = "dashboard/consume.html"

    def get(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        heading = describe_stream(self.caller, stream, Right.CONSUME)
        found = used_group(self, heading.info, group)
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
            shown = [view_event(raw) for raw in reading.events]
            ends = {event.partition: event.offset for event in shown}
            context |= {
                "events": shown,
                "commit_all": ",".join(f"{n}={ends[n]}" for n in sorted(ends)),
                "gaps": [Skipped(number, *gap) for number, gap in sorted(reading.gaps.items())],
            }
        else:
            context["deliveries"] = held_views(self, heading.info, found)
        if self.is_part("consume"):
            return self.part("dashboard/_consume_offsets.html", **context)
        return self.whole(self.template, **context)


class CommitShown(Page):
    """Commit what was looked at: all of it, or up to one event."""

    section = "groups"
    permission_classes = (MayConsume,)

    def post(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        # What was shown came from the database, with partitions that were added a moment ago.
        info = renewed(require_stream(self.caller, stream, Right.CONSUME))
        offsets = read_positions(request.POST.get("offsets", ""), info.partitions)
        if not offsets:
            raise InvalidParameter("offsets", "Say which offsets, as `0=18,1=7`.")
        results = commit_offsets(stream=info, group=used_group(self, info, group), offsets=offsets)
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
            group=used_group(self, heading.info, group).name,
            partition=whole_number(request.GET.get("partition", ""), "partition"),
            offset=whole_number(request.GET.get("offset", ""), "offset", low=1),
        )

    def post(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        info = require_stream(self.caller, stream, Right.CONSUME)
        # Whose group it is comes before what the form says.
        used = used_group(self, info, group)
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


def name_of_browser(page: Page) -> str:
    """Under which name this person leases in this browser."""
    session = str(page.request.session.get(SESSION_ID, ""))
    return browser_consumer(user_id=page.user.pk, session=session, email=page.user.email)


def held_views(page: Page, stream: StreamInfo, group: ConsumerGroup) -> list[HeldView]:
    """What this person holds of the group from the dashboard."""
    return list_held_views(stream=stream, group=group, user_id=page.user.pk, here=name_of_browser(page))


def used_group(page: Page, stream: StreamInfo, group: str) -> ConsumerGroup:
    return require_group(page.caller, stream, group, GroupRight.USE)


def _again(page: Page, toast: Toast, stream: str, group: str) -> HttpResponse:
    """Show what comes next."""
    if is_htmx(page.request):
        return say(HttpResponse(status=204), toast, **{"close-dialog": True, "consume-next": True})
    return page.done(toast, to=group_url(stream, group, "group-consume"))
