"""A payload as a file, character for character as it was sent: of an event, and of a dead letter's copy of it."""

from django.http import HttpRequest, HttpResponse

from accounts.http.parameters import whole_number
from accounts.permissions import MayConsume
from accounts.roles import Right
from consumers.errors import EventErased
from observability.dashboard.page import Page
from observability.dashboard.queries.dead_letter_pages import describe_dead_letter
from observability.dashboard.queries.event_view import EventView, view_event
from observability.dashboard.queries.stream_pages import describe_stream
from streams.errors import EventExpired
from streams.queries import get_event


class EventPayload(Page):
    """The same rights as the event's page."""

    section = "streams"
    permission_classes = (MayConsume,)

    def get(self, request: HttpRequest, stream: str, partition: str, offset: str) -> HttpResponse:
        heading = describe_stream(self.caller, stream, Right.CONSUME)
        number, position = whole_number(partition, "partition"), whole_number(offset, "offset", low=1)
        event = view_event(get_event(heading.info, number, position))
        return _file(event, f"{heading.name}-{number}-{position}")


class DeadLetterPayload(Page):
    """The same rights as the dead letter's page."""

    section = "dead-letters"
    permission_classes = (MayConsume,)

    def get(self, request: HttpRequest, letter_id: str) -> HttpResponse:
        letter = describe_dead_letter(self.caller, letter_id)
        if letter.event is None:
            raise EventExpired("Retention took this event while it was still being tried: there is no copy of it.")
        return _file(letter.event, f"dead-letter-{letter.row.id}")


def _file(event: EventView, name: str) -> HttpResponse:
    """Answer with the payload; of its file's name nothing comes from whoever sent it.

    Raises:
        EventErased
    """
    if event.erased:
        raise EventErased(f"The payload was erased at {event.erased.at}, for good: there is nothing to download.")
    response = HttpResponse(event.payload.encode(), content_type="application/json; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.json"'
    return response
