"""Leasing from the browser: take, then ack, nack or release; and give back all that is held."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from accounts.errors import InvalidParameter
from accounts.http.parameters import whole_number
from accounts.permissions import MayConsume
from accounts.roles import Right
from consumers.errors import LeaseLost
from consumers.services.leasing import (
    Ack,
    LeaseRef,
    LeaseResult,
    Nack,
    ack_deliveries,
    lease_deliveries,
    list_held_in_browsers,
    nack_deliveries,
    release_deliveries,
)
from observability.dashboard.page import Page, Toast, is_htmx, say
from observability.dashboard.pages.consume import LEASE_SIZES, Skipped, held_views, name_of_browser, used_group
from observability.dashboard.pages.dead_letters import text_of
from observability.dashboard.pages.groups import group_url
from observability.dashboard.queries.group_pages import describe_group
from observability.dashboard.queries.held_view import view_held
from observability.dashboard.queries.stream_pages import describe_stream
from observability.wording import number_of
from streams.lookup import require_stream


class Lease(Page):
    """Take some deliveries; nobody else of the group gets them until their lease is over."""

    section = "groups"
    permission_classes = (MayConsume,)

    def post(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        heading = describe_stream(self.caller, stream, Right.CONSUME)
        found = used_group(self, heading.info, group)
        size = request.POST.get("max_events", "")
        leased = lease_deliveries(
            stream=heading.info,
            group=found,
            consumer=name_of_browser(self),
            max_events=int(size) if size in map(str, LEASE_SIZES) else LEASE_SIZES[1],
        )
        now = timezone.now()
        group_page = describe_group(self.caller, heading.info, found, now=now)
        gaps = [Skipped(each.partition, each.first_offset, each.last_offset) for each in leased.gaps]
        context: dict[str, Any] = {"stream": heading, "group": group_page, "gaps": gaps}
        if is_htmx(request):
            taken = [
                view_held(each, left_seconds=(each.expires_at - now).total_seconds()) for each in leased.deliveries
            ]
            toast = None if taken or gaps else _nothing(found.is_paused, group_page.standing.waiting)
            return self.part("dashboard/_held.html", toast=toast, deliveries=taken, **context)
        context["deliveries"] = held_views(self, heading.info, found)
        return self.whole("dashboard/consume.html", tab="consume", lease_sizes=LEASE_SIZES, **context)


class EndLease(Page):
    """Ack, nack or release one delivery."""

    section = "groups"
    permission_classes = (MayConsume,)

    def post(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        found = used_group(self, require_stream(self.caller, stream, Right.CONSUME), group)
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


class ReleaseHeld(Page):
    """Give back all that this person holds of the group from the dashboard."""

    section = "groups"
    permission_classes = (MayConsume,)

    def post(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        heading = describe_stream(self.caller, stream, Right.CONSUME)
        found = used_group(self, heading.info, group)
        held = list_held_in_browsers(stream=heading.info, group=found, user_id=self.user.pk, max_bytes=1)
        results = release_deliveries(group=found, leases=[LeaseRef(each.id, each.token) for each in held])
        released = sum(each.result is LeaseResult.RELEASED for each in results)
        toast = Toast("good", "Given back", number_of(released, "delivery", "deliveries"))
        if not is_htmx(request):
            return self.done(toast, to=group_url(stream, group, "group-consume"))
        group_page = describe_group(self.caller, heading.info, found, now=timezone.now())
        deliveries = held_views(self, heading.info, found)
        return self.part("dashboard/_held.html", toast=toast, stream=heading, group=group_page, deliveries=deliveries)


def _nothing(is_paused: bool, waiting: int) -> Toast:  # noqa: FBT001 - two facts, one sentence
    if is_paused:
        return Toast("warn", "The group is paused", "It hands out nothing until it is resumed.")
    if waiting:
        told = number_of(waiting, "event waits for its", "events wait for their")
        return Toast("info", "Nothing to hand out right now", f"{told} next attempt.")
    return Toast("info", "Nothing to hand out", "Everything is finished or in somebody's hands.")


def _lease_ref(values: Mapping[str, str]) -> LeaseRef:
    try:
        return LeaseRef(whole_number(values.get("delivery_id", ""), "delivery_id"), UUID(values.get("lease_token", "")))
    except ValueError:
        raise InvalidParameter("lease_token", "Not a lease token.") from None
