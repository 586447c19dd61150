"""The list of streams, and creating one."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from accounts.errors import DomainError, PreconditionFailed
from accounts.permissions import MayManage
from accounts.roles import Right
from accounts.services.versions import check_version
from consumers.queries import list_groups
from observability.dashboard.conflicts import expected_of, for_version, only_changed, outdated_form
from observability.dashboard.forms import Form, number_or_text, refused_form
from observability.dashboard.frame import roles_to_ask_for
from observability.dashboard.listing import PAGE_ROWS, cursor_of, listing_of, text_filter
from observability.dashboard.once import once
from observability.dashboard.page import Page, Toast
from observability.dashboard.pages.access import access_context
from observability.dashboard.problems import problem_of
from observability.dashboard.queries.engines import list_engine_choices, view_engine
from observability.dashboard.queries.stream_pages import describe_stream, list_largest_streams, list_stream_rows
from streams.bodies import read_new_stream, read_stream_changes
from streams.conf import POSTGRES
from streams.errors import EngineRefuses, LogUnavailable, NotOffered, UnknownEngine
from streams.log import engine_aliases
from streams.models import Stream, Validation, Visibility
from streams.queries import get_stream, totals_of
from streams.services.lifecycle import (
    StreamSettings,
    change_stream,
    create_stream,
    default_max_age_seconds,
    delete_stream,
    place_for_stream,
)
from streams.services.partition_changes import PartitionGrowth, find_partition_growth
from streams.services.places import Place
from streams.services.retention_changes import RetentionLoss, find_retention_loss

AGE_UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}
SIZE_UNITS = {"bytes": 1, "MiB": 2**20, "GiB": 2**30}
# JSON pointers of the API's faults → fields of the form.
FIELDS = {
    "/name": "name",
    "/description": "description",
    "/partitions": "partitions",
    "/visibility": "visibility",
    "/validation": "validation",
    "/deduplicate_ids": "deduplicate_ids",
    "/engine": "engine",
    "/allow_weak": "engine",
    "/retention/max_age": "max_age",
    "/retention/max_bytes": "max_bytes",
    "/retention/max_events": "max_events",
}
# What a form of settings can be about, and the fields that say it.
SETTINGS = {
    "Description": ("description",),
    "Partitions": ("partitions",),
    "Who may read": ("visibility",),
    "Payloads that do not fit their schema": ("validation",),
    "Ids that are stored once": ("deduplicate_ids", "deduplicate_unit"),
    "Age": ("max_age", "age_unit"),
    "Size on disk": ("max_bytes", "size_unit"),
    "Events": ("max_events",),
    "Paused": ("paused",),
}
# Fields of which not every engine offers what they are about.
NOT_EVERYWHERE = {"partitions", "deduplicate_ids", "deduplicate_unit"}
COLUMNS = {
    "partition_count": "Partitions",
    "visibility": "Who may read",
    "deduplicate_ids_seconds": "Ids that are stored once",
    "retention_max_age_seconds": "Age",
    "retention_max_bytes": "Size on disk",
    "retention_max_events": "Events",
    "is_paused": "Paused",
}
# What an engine has to say to a new stream.
OF_THE_ENGINE = (UnknownEngine, EngineRefuses, NotOffered, LogUnavailable)
LIMITS = ("retention_max_age_seconds", "retention_max_bytes", "retention_max_events")
# So many groups are named where saving deletes what they have not read.
SHOWN_GROUPS = 12
CHOICES: dict[str, Any] = {
    "visibilities": Visibility.choices,
    "validations": [
        (Validation.OFF, "are stored: nobody looks"),
        (Validation.WARN, "are stored with a mark, and counted"),
        (Validation.ENFORCE, "are refused, with their whole request"),
    ],
    "age_units": list(AGE_UNITS),
    "size_units": list(SIZE_UNITS),
}


class Streams(Page):
    """Every stream that the caller may see, with what it holds and how fast it grows; or one page of the largest."""

    section = "streams"
    template = "dashboard/streams.html"
    region = "dashboard/_streams.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        name, now, is_by_size = text_filter(request, "name"), timezone.now(), request.GET.get("by") == "size"
        if is_by_size:
            rows = list_largest_streams(self.caller, now=now, name_part=name, limit=PAGE_ROWS)
        else:
            rows = list_stream_rows(self.caller, now=now, name_part=name, after=cursor_of(request), limit=PAGE_ROWS + 1)
        listing = listing_of(request, rows, key=lambda row: row.name, filters=("name",))
        may_create = self.caller.has_right(Right.MANAGE)
        is_cut = is_by_size and len(rows) == PAGE_ROWS
        return self.show(
            listing=listing,
            name=name,
            is_by_size=is_by_size,
            is_cut=is_cut,
            may_create=may_create,
            asked_roles=roles_to_ask_for(self.caller),
        )


class NewStream(Page):
    """The form of a new stream."""

    section = "streams"
    permission_classes = (MayManage,)
    template = "dashboard/stream_new.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        age, age_unit = _in_unit(default_max_age_seconds(), AGE_UNITS)
        values = {
            "partitions": "1",
            "visibility": Visibility.INTERNAL,
            "validation": Validation.OFF,
            "deduplicate_unit": "hours",
            "max_age": age,
            "age_unit": age_unit,
            "size_unit": "GiB",
            "engine": POSTGRES,
        }
        return self.whole(self.template, form=Form(values), engines=list_engine_choices(), **CHOICES)

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            new = read_new_stream({"partitions": None} | _given(request.POST.dict()))
            # An engine is asked before the transaction that remembers the form.
            place = place_for_stream(caller=self.caller, name=new.name, settings=new.settings)
        except (DomainError, ValidationError) as error:
            return self._again(request, error)
        return self._make(request, new.name, new.settings, place)

    @once()
    def _make(self, request: HttpRequest, name: str, settings: StreamSettings, place: Place | None) -> HttpResponse:
        try:
            stream = create_stream(caller=self.caller, name=name, settings=settings, place=place)
        except DomainError as error:
            return self._again(request, error)
        return self.done(Toast("good", f"{stream.name} is ready for events"), to=reverse("stream", args=[stream.name]))

    def _again(self, request: HttpRequest, error: DomainError | ValidationError) -> HttpResponse:
        whole = "engine" if isinstance(error, OF_THE_ENGINE) else "name"
        form = refused_form(request.POST.dict(), problem_of(error, request), FIELDS, whole=whole)
        context = {"form": form, "is_new": True, "engines": list_engine_choices(), **CHOICES}
        context["lacks"] = view_engine(form.values.get("engine", POSTGRES)).lacks
        return self.form_again("dashboard/_stream_form.html", self.template, **context)


class StreamSettingsPage(Page):
    """What may be changed of a stream later, and its end."""

    section = "streams"
    permission_classes = (MayManage,)
    template = "dashboard/stream_settings.html"

    def get(self, request: HttpRequest, stream: str) -> HttpResponse:
        row = get_stream(self.caller, stream, Right.MANAGE)
        heading = describe_stream(self.caller, stream)
        return self.whole(
            self.template,
            stream=heading,
            tab="settings",
            lacks=heading.engine.lacks,
            form=Form(for_version(_values_of(row), row.version)),
            # With one engine there is nothing to say of it.
            engine=row.engine if engine_aliases() else "",
            **CHOICES,
            **access_context(self, row),
        )

    def post(self, request: HttpRequest, stream: str) -> HttpResponse:
        row = get_stream(self.caller, stream, Right.MANAGE)
        values = request.POST.dict()
        try:
            expected = expected_of(values)
            check_version(row, expected, stream_id=row.pk)
            wanted = _settings_in(values)
            changes, now = only_changed(wanted, _settings_in(_values_of(row))), timezone.now()
            growth = find_partition_growth(stream=row, changes=changes)
            asked_about = _limits_in_words(wanted) + (f" {growth.after}" if growth else "")
            # The name is typed for what the question was about, and for nothing else.
            is_answer = values.get("asked_about") == asked_about
            confirm = values.get("confirm", "").strip() if is_answer else ""
            loss = None if confirm == row.name else find_retention_loss(stream=row, changes=changes, now=now)
            if confirm != row.name and (loss or growth):
                way_out = "keep more" if loss else f"leave {row.partition_count} partitions"
                faults = {"confirm": f"Type {row.name} to confirm, or {way_out}."} if is_answer else {}
                form = Form({**values, "confirm": confirm, "asked_about": asked_about}, faults)
                return self._again(row, form, **_question(loss, growth))
            change_stream(stream=row, changes=changes, now=now, confirm=confirm, expected=expected)
        except PreconditionFailed as error:
            return self._outdated(values, stream, error)
        except (DomainError, ValidationError) as error:
            return self._again(row, refused_form(values, problem_of(error, request), FIELDS))
        return self.done(Toast("good", "Settings saved"), to=reverse("stream-settings", args=[row.name]))

    def _outdated(self, values: Mapping[str, str], stream: str, error: PreconditionFailed) -> HttpResponse:
        row = get_stream(self.caller, stream, Right.MANAGE)
        present = _values_of(row)
        form = outdated_form(
            values,
            present=present,
            version=row.version,
            fields=SETTINGS,
            last_change=error.last_change,
            columns=COLUMNS,
        )
        return self._again(row, form)

    def _again(self, row: Stream, form: Form, **further: Any) -> HttpResponse:
        heading = describe_stream(self.caller, row.name)
        if lacks := heading.engine.lacks:
            # What could not be filled in did not come along.
            absent = {name: text for name, text in _values_of(row).items() if name in NOT_EVERYWHERE}
            form = replace(form, values={**absent, **form.values})
        context = {"stream": heading, "tab": "settings", "form": form, "lacks": lacks, **CHOICES}
        context |= access_context(self, row)
        return self.form_again("dashboard/_stream_form.html", self.template, **context, **further)


class DeleteStream(Page):
    """The confirmation with its numbers, then the deletion."""

    section = "streams"
    permission_classes = (MayManage,)

    def get(self, request: HttpRequest, stream: str) -> HttpResponse:
        heading = describe_stream(self.caller, stream, Right.MANAGE)
        return self.dialog(
            "dashboard/_stream_delete.html",
            stream=heading,
            event_count=totals_of([heading.info])[heading.info.id].event_count,
            group_count=list_groups(heading.info).count(),
        )

    def post(self, request: HttpRequest, stream: str) -> HttpResponse:
        row = get_stream(self.caller, stream, Right.MANAGE)
        delete_stream(stream=row, confirm=request.POST.get("confirm"))
        return self.done(Toast("good", f"{stream} and its events are deleted"), to=reverse("streams"))


def _question(loss: RetentionLoss | None, growth: PartitionGrowth | None) -> dict[str, Any]:
    """What saving would do that cannot be undone, for the form."""
    return {
        "loss": loss,
        "shown_groups": loss.groups[:SHOWN_GROUPS] if loss else (),
        "growth": growth,
        "growing_groups": growth.groups[:SHOWN_GROUPS] if growth else (),
    }


def _given(values: Mapping[str, str]) -> dict[str, Any]:
    """What the form says, in the shape of the API's body."""
    given: dict[str, Any] = {
        "name": values.get("name", "").strip(),
        "description": values.get("description", "").strip(),
        "visibility": values.get("visibility", ""),
        "retention": {
            "max_age": _times(values.get("max_age", ""), AGE_UNITS.get(values.get("age_unit", ""), 86_400)),
            "max_bytes": _times(values.get("max_bytes", ""), SIZE_UNITS.get(values.get("size_unit", ""), 2**30)),
            "max_events": number_or_text(values.get("max_events", "")),
        },
    }
    # A page that was opened before this was asked says nothing of it, and changes nothing.
    if "validation" in values:
        given["validation"] = values["validation"]
    if "deduplicate_ids" in values:
        unit = AGE_UNITS.get(values.get("deduplicate_unit", ""), 1)
        given["deduplicate_ids"] = _times(values["deduplicate_ids"], unit)
    if "partitions" in values:
        given["partitions"] = number_or_text(values["partitions"])
    if values.get("engine", POSTGRES) != POSTGRES:
        given |= {"engine": values["engine"], "allow_weak": values.get("allow_weak") == "on"}
    return given


def _settings_in(values: Mapping[str, str]) -> dict[str, Any]:
    """What a form of settings says, as fields of the model.

    Raises:
        ValidationError
    """
    given = _given(values)
    given.pop("name")
    changes, _ = read_stream_changes(given | {"paused": values.get("paused") == "on"})
    return changes


def _limits_in_words(changes: Mapping[str, Any]) -> str:
    """The retention that is asked for, as the form carries it along with the question."""
    limits = (changes.get(name) for name in LIMITS)
    return " ".join("-" if limit is None else str(limit) for limit in limits)


def _times(text: str, unit: int) -> int | str | None:
    number = number_or_text(text)
    return number * unit if isinstance(number, int) else number


def _values_of(row: Stream) -> dict[str, str]:
    age, age_unit = _in_unit(row.retention_max_age_seconds, AGE_UNITS)
    window, window_unit = _in_unit(row.deduplicate_ids_seconds, AGE_UNITS)
    size, size_unit = _in_unit(row.retention_max_bytes, SIZE_UNITS)
    return {
        "partitions": str(row.partition_count),
        "description": row.description,
        "visibility": row.visibility,
        "validation": row.validation,
        "deduplicate_ids": window,
        "deduplicate_unit": window_unit if window else "hours",
        "max_age": age,
        "age_unit": age_unit,
        "max_bytes": size,
        "size_unit": size_unit,
        "max_events": str(row.retention_max_events or ""),
        "paused": "on" if row.is_paused else "",
    }


def _in_unit(value: int | None, units: Mapping[str, int]) -> tuple[str, str]:
    """The value in the largest unit that divides it."""
    names = list(units)
    if value is None:
        return "", names[-1]
    name = next(name for name in reversed(names) if value % units[name] == 0)
    return str(value // units[name]), name
