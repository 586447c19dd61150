"""Seeking: where to, what that would do, and then doing it."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from accounts.errors import DomainError
from accounts.permissions import MayConsume
from accounts.roles import Right
from consumers.access import GroupRight
from consumers.bodies.seek import read_seek
from consumers.queries import require_group
from consumers.services.seek import SeekTo, seek_group, total_affected
from observability.dashboard.forms import number_or_text
from observability.dashboard.page import Page, Toast
from observability.dashboard.pages.groups import group_url
from observability.dashboard.problems import problem_of
from observability.dashboard.queries.group_pages import describe_group
from observability.dashboard.queries.stream_pages import describe_stream
from observability.dashboard.typed_times import ZONE, moment_of, zone_of
from observability.wording import number_of

TARGETS = (
    (SeekTo.EARLIEST.value, "the oldest event that is kept"),
    (SeekTo.LATEST.value, "the head: only what comes from now on"),
    (SeekTo.TIMESTAMP.value, "a moment"),
    (SeekTo.OFFSET.value, "an offset of one partition"),
)


class Seek(Page):
    """The question, its preview as it is filled in, and the move."""

    section = "groups"
    permission_classes = (MayConsume,)

    def get(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        heading = describe_stream(self.caller, stream, Right.CONSUME)
        found = require_group(self.caller, heading.info, group, GroupRight.MANAGE)
        values = {name: request.GET.get(name, "") for name in ("to", "offset", "time", "partition", ZONE)}
        values["to"] = values["to"] or SeekTo.EARLIEST
        context: dict[str, Any] = {
            "stream": heading,
            "group": describe_group(self.caller, heading.info, found, now=timezone.now()),
            "values": values,
            "targets": TARGETS,
            "results": [],
            "problem": None,
        }
        try:
            wanted = _wanted(values)
            results = seek_group(stream=heading.info, group=found, is_dry_run=True, **wanted)
            context |= {
                "results": results,
                "affected": total_affected(results),
                "fenced": sum(each.deliveries_fenced for each in results),
                "resolved": sum(each.dead_letters_resolved for each in results),
                "is_back": any(each.to_offset < each.from_offset for each in results),
            }
        except (DomainError, ValidationError) as error:
            context["problem"] = _words(problem_of(error, request).detail, problem_of(error, request).faults)
        if self.is_part("seek-preview"):
            return self.part("dashboard/_seek_preview.html", **context)
        return self.dialog("dashboard/_seek.html", question="Seek", **context)

    def post(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        heading = describe_stream(self.caller, stream, Right.CONSUME)
        found = require_group(self.caller, heading.info, group, GroupRight.MANAGE)
        results = seek_group(stream=heading.info, group=found, **_wanted(request.POST.dict()))
        count = number_of(total_affected(results), "event")
        toast = Toast("good", f"{group} was moved", f"{count} concerned")
        return self.done(toast, to=group_url(stream, group))


def _wanted(values: dict[str, str]) -> dict[str, Any]:
    """What the form says, through the API's own checks."""
    to: Any = values.get("to", "")
    if to == SeekTo.OFFSET:
        to = {"offset": number_or_text(values.get("offset", ""))}
    elif to == SeekTo.TIMESTAMP:
        to = {"timestamp": moment_of(values.get("time", ""), zone=zone_of(values)).isoformat()}
    body: dict[str, Any] = {"to": to}
    if values.get("partition"):
        body["partition"] = number_or_text(values["partition"])
    wanted = read_seek(body)
    return {"target": wanted.target, "partition": wanted.partition}


def _words(detail: str, faults: tuple[tuple[str, str], ...]) -> str:
    return faults[0][1] if faults else detail
