"""Consumer groups: the list, one group, creating, changing, pausing and deleting."""

from collections.abc import Mapping
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from accounts.errors import DomainError, PreconditionFailed
from accounts.permissions import MayConsume
from accounts.roles import Right
from accounts.services.versions import check_version
from consumers.access import GroupRight
from consumers.bodies.groups import read_group_changes, read_new_group
from consumers.bodies.losses import read_acknowledgment
from consumers.delivery_order import DeliverySort
from consumers.models import ConsumerGroup, Mode, Ordering, Start
from consumers.queries import get_group, require_group
from consumers.services.groups import GroupSettings, change_group, create_group, delete_group
from consumers.services.held_keys import list_held_keys
from consumers.services.losses import acknowledge_loss
from observability.dashboard.conflicts import expected_of, for_version, only_changed, outdated_form
from observability.dashboard.forms import Form, number_or_text, refused_form
from observability.dashboard.listing import PAGE_ROWS, cursor_of, listing_of, text_filter
from observability.dashboard.once import once
from observability.dashboard.page import Page, Toast
from observability.dashboard.pages.access import access_context
from observability.dashboard.problems import problem_of
from observability.dashboard.queries.delivery_rows import list_delivery_rows, sort_columns
from observability.dashboard.queries.group_pages import describe_group, list_group_rows
from observability.dashboard.queries.stream_pages import describe_stream
from observability.wording import number_of
from streams.lookup import StreamInfo, require_stream

SHOWN_DELIVERIES = 30
SHOWN_HELD_KEYS = 10
STARTS = [
    (Start.EARLIEST.value, "the oldest event that is kept"),
    (Start.LATEST.value, "what comes from now on"),
]
ORDERINGS = [
    (Ordering.NONE.value, "in parallel"),
    (Ordering.KEY.value, "one by one, per key"),
    (Ordering.PARTITION.value, "one by one, per partition"),
]
CHOICES: dict[str, Any] = {"modes": Mode.choices, "starts": STARTS, "orderings": ORDERINGS}
FIELDS = {
    "/name": "name",
    "/ack_wait": "ack_wait",
    "/max_failures": "max_failures",
    "/backoff": "backoff",
    "/max_in_flight": "max_in_flight",
    "/ordering": "ordering",
    "/filter/types": "types",
    "/filter/headers": "headers",
}
# What a form of settings can be about, and the fields that say it.
SETTINGS = {
    "Ack wait, seconds": ("ack_wait",),
    "Failures before giving up": ("max_failures",),
    "Waits between attempts, seconds": ("backoff",),
    "In flight at most": ("max_in_flight",),
    "Order": ("ordering",),
    "Only these types": ("types",),
    "Only with these headers": ("headers",),
    "Paused": ("paused",),
}
COLUMNS = {
    "ack_wait_seconds": "Ack wait",
    "max_failures": "Failures before giving up",
    "backoff_seconds": "Waits between attempts",
    "max_in_flight": "In flight at most",
    "ordering": "Order",
    "filter": "Filter",
    "is_paused": "Paused",
}


def group_url(stream: str, group: str, name: str = "group") -> str:
    return reverse(name, args=[stream, group])


class Groups(Page):
    """All groups that the caller may see, whichever their stream."""

    section = "groups"
    permission_classes = (MayConsume,)
    template = "dashboard/groups.html"
    region = "dashboard/_groups.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        text = text_filter(request, "name")
        cursor = (cursor_of(request) or "").partition("/")
        after = (cursor[0], cursor[2]) if cursor[1] else None
        rows = list_group_rows(self.caller, now=timezone.now(), text=text, after=after, limit=PAGE_ROWS + 1)
        listing = listing_of(request, rows, key=lambda row: f"{row.stream}/{row.name}", filters=("name",))
        return self.show(listing=listing, name=text)


class StreamGroups(Page):
    """The groups of one stream."""

    section = "streams"
    permission_classes = (MayConsume,)
    template = "dashboard/stream_groups.html"
    region = "dashboard/_groups.html"

    def get(self, request: HttpRequest, stream: str) -> HttpResponse:
        heading = describe_stream(self.caller, stream, Right.CONSUME)
        after = (heading.name, cursor) if (cursor := cursor_of(request)) else None
        rows = list_group_rows(self.caller, now=timezone.now(), stream=heading.name, after=after, limit=PAGE_ROWS + 1)
        listing = listing_of(request, rows, key=lambda row: row.name)
        return self.show(stream=heading, tab="groups", listing=listing)


class NewGroup(Page):
    """The form of a new group."""

    section = "streams"
    permission_classes = (MayConsume,)
    template = "dashboard/group_new.html"

    def get(self, request: HttpRequest, stream: str) -> HttpResponse:
        heading = describe_stream(self.caller, stream, Right.CONSUME)
        defaults = GroupSettings()
        name = text_filter(request, "name", longest=128)
        values = _values(defaults) | {"name": name, "mode": defaults.mode, "start": defaults.start}
        return self.whole(self.template, stream=heading, tab="groups", form=Form(values), **CHOICES)

    @once()
    def post(self, request: HttpRequest, stream: str) -> HttpResponse:
        info = require_stream(self.caller, stream, Right.CONSUME)
        values = request.POST.dict()
        try:
            given = _given(values) | {name: values.get(name, "") for name in ("name", "mode", "start")}
            name, settings, _ = read_new_group(given)
            group, _ = create_group(stream=info, name=name, settings=settings, owner=self.caller.principal)
        except (DomainError, ValidationError) as error:
            form = refused_form(values, problem_of(error, request), FIELDS, whole="name")
            heading = describe_stream(self.caller, stream, Right.CONSUME)
            context = {"stream": heading, "tab": "groups", "form": form, "is_new": True, **CHOICES}
            return self.form_again("dashboard/_group_form.html", self.template, **context)
        return self.done(Toast("good", f"{group.name} is ready to consume"), to=group_url(stream, group.name))


class Group(Page):
    """One group: how far it has come, who reads, what is in flight."""

    section = "groups"
    permission_classes = (MayConsume,)
    template = "dashboard/group.html"
    region = "dashboard/_group.html"

    def get(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        heading = describe_stream(self.caller, stream, Right.CONSUME)
        found = get_group(heading.info, group)
        page = describe_group(self.caller, heading.info, found, now=timezone.now())
        context: dict[str, Any] = {"stream": heading, "group": page, "tab": "group"}
        if page.standing.held_up:
            context["held_keys"] = list_held_keys(stream=heading.info, group=found, limit=SHOWN_HELD_KEYS)
        if found.mode == Mode.LEASE:
            name, is_descending = request.GET.get("sort", ""), request.GET.get("order") == "desc"
            sort = DeliverySort(name) if name in set(DeliverySort) else DeliverySort.OFFSET
            rows = list_delivery_rows(found, sort, is_descending=is_descending, limit=SHOWN_DELIVERIES + 1)
            context |= {
                "deliveries": rows[:SHOWN_DELIVERIES],
                "has_more_deliveries": len(rows) > SHOWN_DELIVERIES,
                "columns": sort_columns(request.path, sort, is_descending=is_descending),
            }
        return self.show(**context)


class GroupSettingsPage(Page):
    """What may be changed of a group later, and its end."""

    section = "groups"
    permission_classes = (MayConsume,)
    template = "dashboard/group_settings.html"

    def get(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        return self._page(stream, group, None)

    def post(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        found = _managed(self, require_stream(self.caller, stream, Right.CONSUME), group)
        values = request.POST.dict()
        try:
            expected = expected_of(values)
            check_version(found, expected, stream_id=found.stream_id, group_id=found.pk)
            changes = only_changed(_settings_in(values), _settings_in(_values(found)))
            change_group(group=found, changes=changes, expected=expected)
        except PreconditionFailed as error:
            found = _managed(self, require_stream(self.caller, stream, Right.CONSUME), group)
            form = outdated_form(
                values,
                present=_shown_of(found),
                version=found.version,
                fields=SETTINGS,
                last_change=error.last_change,
                columns=COLUMNS,
            )
            return self._page(stream, group, form)
        except (DomainError, ValidationError) as error:
            return self._page(stream, group, refused_form(values, problem_of(error, request), FIELDS))
        return self.done(Toast("good", "Settings saved"), to=group_url(stream, group))

    def _page(self, stream: str, group: str, form: Form | None) -> HttpResponse:
        heading = describe_stream(self.caller, stream, Right.CONSUME)
        found = _managed(self, heading.info, group)
        context: dict[str, Any] = {
            "stream": heading,
            "group": describe_group(self.caller, heading.info, found, now=timezone.now()),
            "tab": "settings",
            "form": form or Form(for_version(_shown_of(found), found.version)),
            **CHOICES,
            **access_context(self, found),
        }
        if form is not None:
            return self.form_again("dashboard/_group_form.html", self.template, **context)
        return self.whole(self.template, **context)


class PauseGroup(Page):
    """Pause or resume: one button, two addresses' worth of intent, so that a double click is harmless."""

    permission_classes = (MayConsume,)

    def post(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        found = _managed(self, require_stream(self.caller, stream, Right.CONSUME), group)
        is_paused = request.POST.get("paused") == "on"
        change_group(group=found, changes={"is_paused": is_paused})
        toast = Toast("good", f"{group} is paused" if is_paused else f"{group} goes on")
        return self.done(toast, to=group_url(stream, group))


class AcknowledgeLoss(Page):
    """Say that what the page showed as lost is known; what was lost since is shown on."""

    permission_classes = (MayConsume,)

    def post(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        info = require_stream(self.caller, stream, Right.CONSUME)
        found = _managed(self, info, group)
        seen = read_acknowledgment({"lost_total": number_or_text(request.POST.get("lost_total", ""))})
        done = acknowledge_loss(stream=info, group=found, lost_total=seen)
        toast = Toast("good", "Acknowledged")
        if done.lost:
            toast = Toast("warn", f"Meanwhile more was lost: {number_of(done.lost, 'event')}. Look again.")
        elif not done.acknowledged:
            toast = Toast("info", "Somebody has acknowledged it already")
        return self.done(toast, to=group_url(stream, group))


class DeleteGroup(Page):
    """The confirmation with its numbers, then the deletion."""

    section = "groups"
    permission_classes = (MayConsume,)

    def get(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        heading = describe_stream(self.caller, stream, Right.CONSUME)
        found = _managed(self, heading.info, group)
        return self.dialog(
            "dashboard/_group_delete.html",
            stream=heading,
            group=describe_group(self.caller, heading.info, found, now=timezone.now()),
        )

    def post(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        found = _managed(self, require_stream(self.caller, stream, Right.CONSUME), group)
        delete_group(group=found, confirm=request.POST.get("confirm"))
        return self.done(Toast("good", f"{group} is deleted"), to=reverse("stream-groups", args=[stream]))


def _managed(page: Page, stream: StreamInfo, group: str) -> ConsumerGroup:
    return require_group(page.caller, stream, group, GroupRight.MANAGE)


def _given(values: Mapping[str, str]) -> dict[str, Any]:
    """What the form says, in the shape of the API's body; what it does not show is left as it is."""
    shown = [name for name in ("ack_wait", "max_failures", "max_in_flight") if name in values]
    numbers = {name: number_or_text(values[name]) for name in shown}
    given: dict[str, Any] = {name: value for name, value in numbers.items() if value is not None}
    if "backoff" in values:
        given["backoff"] = [number_or_text(part) for part in values["backoff"].replace(",", " ").split()]
    if "ordering" in values:
        given["ordering"] = values["ordering"]
    if "types" in values:
        types = values["types"].replace(",", " ").split()
        given["filter"] = {"types": types, "headers": _object_or_text(values.get("headers", ""))}
    return given


def _object_or_text(text: str) -> Any:
    """What a field of JSON holds, for the API's strict fields: if it is no JSON, what was typed."""
    try:
        return orjson.loads(text) if text.strip() else {}
    except orjson.JSONDecodeError:
        return text


def _settings_in(values: Mapping[str, str]) -> dict[str, Any]:
    """What a form of settings says, as fields of the model.

    Raises:
        ValidationError
    """
    changes, _ = read_group_changes(_given(values) | {"paused": values.get("paused") == "on"})
    return changes


def _shown_of(group: ConsumerGroup) -> dict[str, str]:
    """What the form of a group's settings shows of it: deliveries are of lease mode alone."""
    values = _values(group)
    return values if group.mode == Mode.LEASE else {name: values[name] for name in ("types", "headers", "paused")}


def _values(settings: GroupSettings | ConsumerGroup) -> dict[str, str]:
    given = settings.filter or {}
    return {
        "ack_wait": str(settings.ack_wait_seconds),
        "max_failures": str(settings.max_failures),
        "backoff": ", ".join(map(str, settings.backoff_seconds)),
        "ordering": settings.ordering,
        "max_in_flight": str(settings.max_in_flight),
        "types": ", ".join(given.get("types", ())),
        "headers": orjson.dumps(headers).decode() if (headers := given.get("headers")) else "",
        "paused": "on" if settings.is_paused else "",
    }
