"""What whoever manages a group does with one of its deliveries: have it tried now, or take it from its consumer."""

from django.http import HttpRequest, HttpResponse

from accounts.permissions import MayConsume
from accounts.roles import Right
from consumers.access import GroupRight
from consumers.bodies.deliveries import read_release
from consumers.browser_leases import person_of
from consumers.delivery_queries import get_delivery
from consumers.models import ConsumerGroup
from consumers.queries import require_group
from consumers.services.leasing.by_hand import release_delivery, retry_delivery_now
from consumers.states import DeliveryState
from observability.dashboard.forms import number_or_text
from observability.dashboard.once import once
from observability.dashboard.page import Page, Toast
from observability.dashboard.pages.groups import group_url
from observability.dashboard.queries.delivery_rows import view_delivery
from observability.dashboard.queries.stream_pages import describe_stream
from streams.lookup import StreamInfo, require_stream


class RetryNow(Page):
    """Let a delivery that waits be handed out at once."""

    section = "groups"
    permission_classes = (MayConsume,)

    @once()
    def post(self, request: HttpRequest, stream: str, group: str, delivery_id: str) -> HttpResponse:
        found = _managed(self, require_stream(self.caller, stream, Right.CONSUME), group)
        retried = retry_delivery_now(group=found, delivery_id=delivery_id)
        text = "The group is paused: it hands out nothing until it is resumed." if found.is_paused else ""
        toast = Toast("good", f"Offset {retried.first_offset} is next for whoever asks", text)
        return self.done(toast, to=group_url(stream, group), stay=True)


class ReleaseDelivery(Page):
    """The question, since another consumer holds it, then the release."""

    section = "groups"
    permission_classes = (MayConsume,)

    def get(self, request: HttpRequest, stream: str, group: str, delivery_id: str) -> HttpResponse:
        heading = describe_stream(self.caller, stream, Right.CONSUME)
        found = _managed(self, heading.info, group)
        return self.dialog(
            "dashboard/_delivery_release.html",
            question="Release a delivery",
            stream=heading,
            group=found,
            delivery=view_delivery(get_delivery(found, delivery_id)),
        )

    @once()
    def post(self, request: HttpRequest, stream: str, group: str, delivery_id: str) -> HttpResponse:
        found = _managed(self, require_stream(self.caller, stream, Right.CONSUME), group)
        seen = number_or_text(request.POST.get("delivery_count", ""))
        count = read_release({} if seen is None else {"delivery_count": seen})
        released = release_delivery(group=found, delivery_id=delivery_id, delivery_count=count)
        holder = person_of(released.leased_by) or released.leased_by or "Its consumer"
        toast = Toast("good", "Released", f"{holder} does not hold it any more.")
        if released.present_state == DeliveryState.EXHAUSTED:
            toast = Toast("warn", "Released, and out of attempts", "It becomes a dead letter.")
        return self.done(toast, to=group_url(stream, group), stay=True)


def _managed(page: Page, stream: StreamInfo, group: str) -> ConsumerGroup:
    return require_group(page.caller, stream, group, GroupRight.MANAGE)
