"""Streams in the admin, and a page that browses their events through the log."""

from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.audit_actions import AuditAction
from accounts.errors import DomainError
from accounts.grant_forms import GrantInline, save_grants
from accounts.models import User
from accounts.roles import Right
from streams.browsing import browse_events
from streams.conf import MAX_DEDUPLICATION_SECONDS, MAX_OFFSET, MAX_PARTITIONS, MAX_RETENTION_AGE_SECONDS
from streams.forms import JSONField, NamedForm
from streams.labels import explain_labels
from streams.lookup import forget_streams, info_of
from streams.models import Stream, StreamGrant
from streams.queries import totals_of_row
from streams.services.lifecycle import (
    RETENTION_FIELDS,
    StreamSettings,
    change_stream,
    create_stream,
    delete_stream,
    hold_stream,
)
from streams.services.partition_changes import find_partition_growth
from streams.services.retention_changes import explain_loss, find_retention_loss

PAGE_EVENTS = 50
WHERE_TO_CONFIRM = "Do it on the stream's settings page in the dashboard, which asks for its name."


# The bounds that the API has too.
BOUNDS = {
    "partition_count": (1, MAX_PARTITIONS),
    "deduplicate_ids_seconds": (1, MAX_DEDUPLICATION_SECONDS),
    "retention_max_age_seconds": (1, MAX_RETENTION_AGE_SECONDS),
    "retention_max_bytes": (1, MAX_OFFSET),
    "retention_max_events": (1, MAX_OFFSET),
}


class StreamForm(NamedForm):
    hold = hold_stream
    confirm = forms.CharField(
        required=False,
        label="Confirm",
        help_text="The stream's name, if partitions are added. It says first what changes.",
    )

    labels = JSONField(required=False)

    class Meta:
        model = Stream
        exclude: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, (low, high) in BOUNDS.items():
            if name in self.fields:
                self.fields[name].validators += [MinValueValidator(low), MaxValueValidator(high)]
                self.fields[name].widget.attrs |= {"min": low, "max": high}
        if self.instance.pk is not None and "partition_count" in self.fields:
            # Left out: as many as there are.
            self.fields["partition_count"].required = False
            self.fields["partition_count"].help_text = "More can be added, none taken away."

    def clean_partition_count(self) -> int:
        count: int | None = self.cleaned_data["partition_count"]
        return self.instance.partition_count if count is None else count

    def clean_labels(self) -> Any:
        labels = self.cleaned_data["labels"] or {}
        if wrong := explain_labels(labels):
            raise forms.ValidationError(wrong)
        return labels

    def clean(self) -> dict[str, Any]:
        """Lower a retention here only where that deletes nothing: where it does, its page in the dashboard asks."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        confirm = cleaned.pop("confirm", "")
        if self.instance.pk is not None:
            changes = {name: cleaned[name] for name in self.changed_data if name in cleaned}
            self._check_growth(changes, confirm)
            if self.instance.has_epochs:
                # What would go, its engine has to be asked, and the admin is one transaction.
                if changes.keys() & set(RETENTION_FIELDS):
                    raise forms.ValidationError(
                        f"Its events lie in {self.instance.engine}, which has to be asked what would go. "
                        f"{WHERE_TO_CONFIRM}"
                    )
                return cleaned
            loss = find_retention_loss(stream=self.instance, changes=changes, now=timezone.now())
            if loss is not None:
                raise forms.ValidationError(f"{explain_loss(loss)} {WHERE_TO_CONFIRM}")
        return cleaned

    def _check_growth(self, changes: dict[str, Any], confirm: str) -> None:
        """Say what more partitions change, and ask for the name."""
        try:
            growth = find_partition_growth(stream=self.instance, changes=changes)
        except DomainError as error:
            self.add_error("partition_count", error.detail)
            return
        if growth is not None and confirm != self.instance.name:
            self.add_error("confirm", f"{growth.explanation} Type {self.instance.name} to do it.")


class BrowseForm(forms.Form):
    """Where to look: a partition, and an offset or a time."""

    partition = forms.IntegerField(min_value=0, initial=0, required=False)
    offset = forms.IntegerField(min_value=1, max_value=2**63 - 1, required=False, label="From offset")
    since = forms.DateTimeField(
        required=False,
        label="Or from time (UTC)",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"}, format="%Y-%m-%dT%H:%M:%S"),
    )


class StreamGrantForm(forms.ModelForm):
    rights = forms.MultipleChoiceField(
        choices=[(right.value, right.value) for right in Right], widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = StreamGrant
        fields = ("user", "team", "rights")


class StreamGrantInline(GrantInline):
    model = StreamGrant
    form = StreamGrantForm


@admin.register(Stream)
class StreamAdmin(admin.ModelAdmin):
    form = StreamForm
    list_display = (
        "name",
        "owner_name",
        "visibility",
        "engine",
        "partition_count",
        "event_count",
        "is_paused",
        "browse",
    )
    list_filter = ("is_paused", "visibility", "validation", "engine")
    list_select_related = ("owner", "owner_team")
    list_per_page = 50
    search_fields = ("name", "description", "owner__email", "owner_team__name")
    autocomplete_fields = ("owner", "owner_team")
    # Streams in another engine are made in the dashboard or by the API: the engine is asked outside of a transaction.
    readonly_fields = ("engine", "created_at", "updated_at")
    actions = ("pause", "resume")
    inlines = (StreamGrantInline,)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "name",
                    "description",
                    "owner",
                    "owner_team",
                    "engine",
                    "partition_count",
                    "confirm",
                    "visibility",
                    "is_paused",
                    "validation",
                    "deduplicate_ids_seconds",
                    "labels",
                    "version",
                )
            },
        ),
        ("Retention", {"fields": ("retention_max_age_seconds", "retention_max_bytes", "retention_max_events")}),
        ("Times", {"fields": ("created_at", "updated_at")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Stream]:
        return super().get_queryset(request).prefetch_related("partitions")

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        # First it is made, then it is shared.
        return self.inlines if obj else ()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return (*self.readonly_fields, "name") if obj else self.readonly_fields

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        (heading, first), *others = self.fieldsets
        names = [name for name in first["fields"] if obj or name not in {"confirm", "engine"}]
        return [(heading, {"fields": names}), *others]

    @admin.display(description="events kept")
    def event_count(self, stream: Stream) -> int:
        # The partitions' counters, prefetched with the page: nothing is counted.
        return totals_of_row(stream).event_count

    @admin.display(description="look inside")
    def browse(self, stream: Stream) -> SafeString:
        return format_html('<a href="{}">Browse</a>', reverse("admin:streams_stream_events", args=[stream.pk]))

    def get_urls(self) -> list[URLPattern]:
        browse = self.admin_site.admin_view(self.events_view)
        return [path("<int:stream_id>/events/", browse, name="streams_stream_events"), *super().get_urls()]

    def events_view(self, request: HttpRequest, stream_id: int) -> HttpResponse:
        """The *Events* page: a stream by offset or time, read through the log."""
        stream = self.get_queryset(request).filter(pk=stream_id).first()
        if stream is None:
            raise Http404
        form = BrowseForm(request.GET or None)
        filters = form.cleaned_data if form.is_valid() else {}
        info = info_of(stream)
        number = min(filters.get("partition") or 0, len(info.partitions) - 1)
        page = browse_events(
            info.partitions[number], offset=filters.get("offset"), since=filters.get("since"), limit=PAGE_EVENTS
        )
        context = {
            **self.admin_site.each_context(request),
            "title": f"Events of {stream.name}",
            "stream": stream,
            "form": form,
            "page": page,
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/streams/stream/events.html", context)

    def save_model(self, request: HttpRequest, stream: Stream, form: Any, change: bool) -> None:  # noqa: FBT001 (Django's)
        if change:
            # As the database has it: the form's own is changed already, which would be told as no change.
            stored = Stream.objects.get(pk=stream.pk)
            changes = {name: form.cleaned_data[name] for name in form.changed_data if name in form.cleaned_data}
            # The form has refused what deletes; what came of age since then goes without a question.
            change_stream(stream=stored, changes=changes, now=timezone.now(), confirm=stored.name)
            return
        created = create_stream(
            caller=cast("User", request.user).as_caller(),
            name=stream.name,
            owner=stream.owned_by,
            settings=StreamSettings(
                description=stream.description,
                partitions=stream.partition_count,
                visibility=stream.visibility,
                retention_max_age_seconds=stream.retention_max_age_seconds,
                retention_max_bytes=stream.retention_max_bytes,
                retention_max_events=stream.retention_max_events,
                is_paused=stream.is_paused,
                validation=stream.validation,
                deduplicate_ids_seconds=stream.deduplicate_ids_seconds,
                labels=stream.labels,
            ),
        )
        stream.pk = created.pk

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: Any) -> None:
        stream: Stream = form.instance
        save_grants(
            request,
            formset,
            shared=AuditAction.STREAM_SHARED,
            unshared=AuditAction.STREAM_UNSHARED,
            stream=(stream.pk, stream.name),
        )
        # The form is one transaction: who asks before it ends is told the old.
        transaction.on_commit(forget_streams)

    def delete_model(self, request: HttpRequest, stream: Stream) -> None:
        delete_stream(stream=stream, confirm=stream.name)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Name what goes without loading it: a stream may hold millions of events."""
        names = [f"{stream}: its events, partitions and consumer groups" for stream in objs]
        return names, {"streams": len(names)}, set(), []

    @admin.action(description="Pause: refuse appends")
    def pause(self, request: HttpRequest, streams: QuerySet[Stream]) -> None:
        self._set_paused(request, streams, paused=True)

    @admin.action(description="Resume: accept appends")
    def resume(self, request: HttpRequest, streams: QuerySet[Stream]) -> None:
        self._set_paused(request, streams, paused=False)

    def _set_paused(self, request: HttpRequest, streams: QuerySet[Stream], *, paused: bool) -> None:
        for stream in streams:
            change_stream(stream=stream, changes={"is_paused": paused}, now=timezone.now())
        forget_streams()
        self.message_user(request, f"{len(streams)} streams {'paused' if paused else 'resumed'}.", messages.SUCCESS)
