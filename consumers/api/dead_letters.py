"""`/dead-letters`: what groups gave up on, and what to do about one of them."""

from collections.abc import Callable
from typing import Any

import orjson
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.caller import caller_of
from accounts.http.idempotent import idempotent
from accounts.http.views import StrictView, StrictViewSet
from accounts.permissions import MayConsume
from accounts.roles import Right
from consumers.access import GroupRight
from consumers.api.payload_parser import RawEventParser, RawPayloadParser
from consumers.api.schemas import DeadLetterDetailSerializer, DeadLetterSerializer
from consumers.bodies.dead_letters import (
    DeadLetterFilterSerializer,
    NoteSerializer,
    ReportSerializer,
    read_filter,
    read_note,
    split_copy,
    split_payload,
)
from consumers.conf import SEARCH_DEAD_LETTERS
from consumers.dead_letter_queries import (
    get_dead_letter,
    get_editable_dead_letter,
    list_dead_letters_of,
    list_groups_for_dead_letters,
)
from consumers.dead_letter_search import DeadLetterFilter, look_through
from consumers.models import DeadLetter
from consumers.queries import require_group
from consumers.services.dead_letters.close import discard_dead_letter, resolve_dead_letter
from consumers.services.dead_letters.redrive import redrive_dead_letter
from consumers.services.dead_letters.report import report_dead_letter
from streams.api.schemas import EventSerializer
from streams.lookup import require_stream

FILTERS = tuple(DeadLetterFilterSerializer().fields)


class RedriveRequestSerializer(NoteSerializer):
    """What is sent instead, and why; both may be left out."""

    payload = serializers.JSONField(required=False, help_text="Sent instead of the event's payload.")


class ReportRequestSerializer(ReportSerializer):
    """Which event cannot be processed, and why."""

    event = EventSerializer(required=False, help_text="The event as the poll gave it; kept if retention took it.")


def describe(dead_letter: DeadLetter) -> dict[str, Any]:
    """A dead letter with its event, whose bytes are put in as they are."""
    event = orjson.Fragment(bytes(dead_letter.event)) if dead_letter.event is not None else None
    return {
        **DeadLetterSerializer(dead_letter).data,
        "event": event,
        **{name: _details(dead_letter)[name] for name in ("attempts", "redrives")},
    }


def _details(dead_letter: DeadLetter) -> Any:
    serializer = DeadLetterDetailSerializer(dead_letter)
    serializer.fields.pop("event")
    return serializer.data


@extend_schema(tags=["Dead letters"])
class DeadLettersViewSet(StrictViewSet):
    permission_classes = (MayConsume,)
    serializer_class = DeadLetterSerializer
    queryset = DeadLetter.objects.none()
    keyset = ("-id",)
    query_parameters = {"list": FILTERS}

    @extend_schema(operation_id="list_dead_letters", parameters=[DeadLetterFilterSerializer])
    def list(self, request: Request) -> Response:
        """List dead letters, the newest first, without their events.

        With `text` a page looks at 10,000 dead letters at most: it may be short, or empty, and still have a `next`.
        """
        wanted = read_filter({name: value for name, value in self.query.items() if name in FILTERS})
        groups = list(list_groups_for_dead_letters(caller_of(request), wanted))
        look = _looking_for(wanted)
        page = self.paginator.paginate_looking(list_dead_letters_of(groups), look, self)  # type: ignore[union-attr]
        return self.get_paginated_response(DeadLetterSerializer(page, many=True).data)

    @extend_schema(operation_id="get_dead_letter", responses={200: DeadLetterDetailSerializer})
    def retrieve(self, request: Request, dead_letter_id: str) -> Response:
        """The event as it was, the attempts with their errors, and the redrives."""
        return Response(describe(get_dead_letter(caller_of(request), dead_letter_id)))


class RedriveView(StrictView):
    permission_classes = (MayConsume,)
    parser_classes = (RawPayloadParser,)

    @extend_schema(
        operation_id="redrive_dead_letter",
        tags=["Dead letters"],
        request=RedriveRequestSerializer,
        responses={202: OpenApiResponse(DeadLetterSerializer)},
    )
    @idempotent()
    def post(self, request: Request, dead_letter_id: str) -> Response:
        """Send it to its group again, and to no other; 409 `not_open` if that was done before.

        With a `payload`, that is sent instead of the event's own, and the event says that it was `edited`; the original
        stays, and what changed is recorded. That takes the right to produce to the stream, or to manage it.
        """
        payload, note = split_payload(request.data)
        get = _managed if payload is None else _editable
        found = get(request, dead_letter_id)
        redrive_dead_letter(dead_letter=found, requested_by=caller_of(request).reference, payload=payload, note=note)
        return Response(_summary(found), status=202)


class DiscardView(StrictView):
    permission_classes = (MayConsume,)

    @extend_schema(
        operation_id="discard_dead_letter",
        tags=["Dead letters"],
        request=NoteSerializer,
        responses={200: DeadLetterSerializer},
    )
    @idempotent()
    def post(self, request: Request, dead_letter_id: str) -> Response:
        """Give up on it for good; its copy stays to be looked at."""
        note = read_note(request.data)
        found = _managed(request, dead_letter_id)
        discard_dead_letter(dead_letter=found, requested_by=caller_of(request).reference, note=note)
        return Response(_summary(found))


class ResolveView(StrictView):
    permission_classes = (MayConsume,)

    @extend_schema(
        operation_id="resolve_dead_letter",
        tags=["Dead letters"],
        request=NoteSerializer,
        responses={200: DeadLetterSerializer},
    )
    @idempotent()
    def post(self, request: Request, dead_letter_id: str) -> Response:
        """Record that the event was dealt with outside of its group."""
        note = read_note(request.data)
        found = _managed(request, dead_letter_id)
        resolve_dead_letter(dead_letter=found, requested_by=caller_of(request).reference, note=note)
        return Response(_summary(found))


class ReportView(StrictView):
    permission_classes = (MayConsume,)
    parser_classes = (RawEventParser,)

    @extend_schema(
        operation_id="report_dead_letter",
        tags=["Dead letters"],
        request=ReportRequestSerializer,
        responses={201: DeadLetterSerializer, 200: DeadLetterSerializer},
    )
    @idempotent()
    def post(self, request: Request, stream: str, group: str) -> Response:
        """Park an event that an offset-mode consumer cannot process; one that is parked already answers 200.

        With `event`, the event as the poll gave it, that works also where retention has just taken it (410
        `event_expired` without): the copy is kept, and marked as `reported_copy`.
        """
        caller = caller_of(request)
        found = require_stream(caller, stream, Right.CONSUME)
        copy, report = split_copy(request.data)
        dead_letter, is_new = report_dead_letter(
            stream=found,
            group=require_group(caller, found, group, GroupRight.USE),
            reporter=caller.reference,
            copy=copy,
            **report,
        )
        return Response(_summary(dead_letter), status=201 if is_new else 200)


Remaining = QuerySet[DeadLetter]


def _looking_for(wanted: DeadLetterFilter) -> Callable[[Remaining, int], tuple[list[DeadLetter], list[int] | None]]:
    def look(remaining: Remaining, limit: int) -> tuple[list[DeadLetter], list[int] | None]:
        found = look_through(remaining, wanted, most_found=limit, most_looked_at=SEARCH_DEAD_LETTERS)
        rows = remaining.filter(pk__in=found.ids)
        return list(rows), None if found.is_end or found.reached is None else [found.reached]

    return look


def _managed(request: Request, dead_letter_id: str) -> DeadLetter:
    return get_dead_letter(caller_of(request), dead_letter_id, GroupRight.MANAGE)


def _editable(request: Request, dead_letter_id: str) -> DeadLetter:
    return get_editable_dead_letter(caller_of(request), dead_letter_id)


def _summary(dead_letter: DeadLetter) -> Any:
    dead_letter.refresh_from_db(fields=["status", "closed_at", "closed_by", "note"])
    return DeadLetterSerializer(dead_letter).data
