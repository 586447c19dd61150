"""Consumer groups and their offsets in the admin."""

from collections.abc import Iterator, Mapping
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.postgres.forms import SimpleArrayField
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from rest_framework.exceptions import ValidationError as RefusedFields

from accounts.audit_actions import AuditAction
from accounts.grant_forms import GrantInline, save_grants
from consumers.access import GroupRight
from consumers.bodies.groups import read_filter
from consumers.conf import (
    MAX_ACK_WAIT_SECONDS,
    MAX_BACKOFF_ENTRIES,
    MAX_BACKOFF_SECONDS,
    MAX_MAX_DELIVERIES,
    MAX_MAX_FAILURES,
    MAX_MAX_IN_FLIGHT,
)
from consumers.dead_letter_queries import count_open_dead_letters
from consumers.models import ConsumerGroup, GroupGrant, GroupMember, GroupOffset
from consumers.progress_queries import lag_of, lost_of
from consumers.queries import forget_groups, with_offsets
from consumers.services.groups import GroupSettings, change_group, create_group, delete_group, hold_group
from streams.forms import JSONField, NamedForm
from streams.lookup import info_of

DELIVERY_FIELDS = ("ack_wait_seconds", "max_failures", "max_deliveries", "max_in_flight", "backoff_seconds")


class GroupForm(NamedForm):
    """The bounds that the API has too."""

    hold = hold_group

    ack_wait_seconds = forms.IntegerField(min_value=1, max_value=MAX_ACK_WAIT_SECONDS)
    max_failures = forms.IntegerField(min_value=1, max_value=MAX_MAX_FAILURES)
    max_deliveries = forms.IntegerField(min_value=2, max_value=MAX_MAX_DELIVERIES)
    max_in_flight = forms.IntegerField(min_value=1, max_value=MAX_MAX_IN_FLIGHT)
    backoff_seconds = SimpleArrayField(
        forms.IntegerField(min_value=0, max_value=MAX_BACKOFF_SECONDS), min_length=1, max_length=MAX_BACKOFF_ENTRIES
    )

    filter = JSONField(required=False)

    class Meta:
        model = ConsumerGroup
        exclude: tuple[str, ...] = ()

    def clean_filter(self) -> dict[str, Any] | None:
        try:
            return read_filter(self.cleaned_data["filter"])
        except RefusedFields as error:
            raise forms.ValidationError(list(_words(error.detail))) from error


def _words(detail: Any, path: str = "") -> Iterator[str]:
    """What the API says is wrong, each with the place it is at."""
    if isinstance(detail, Mapping | list):
        parts = detail.items() if isinstance(detail, Mapping) else enumerate(detail)
        for name, inner in parts:
            # Several faults of one field stand in a list too.
            yield from _words(inner, f"{path}{name} " if not isinstance(inner, str) else path)
    else:
        yield f"{path.strip()}: {detail}" if path.strip() else str(detail)


class GroupOffsetInline(admin.TabularInline):
    model = GroupOffset
    extra = 0
    fields = readonly_fields = ("partition", "committed_offset", "head_offset", "lag", "lost", "committed_at")
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[GroupOffset]:
        return super().get_queryset(request).select_related("partition")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def head_offset(self, offset: GroupOffset) -> int:
        return offset.partition.head_offset

    def lag(self, offset: GroupOffset) -> int:
        return lag_of([offset])

    def lost(self, offset: GroupOffset) -> int:
        return lost_of([offset])


class GroupGrantForm(forms.ModelForm):
    rights = forms.MultipleChoiceField(
        choices=[(right.value, right.value) for right in GroupRight], widget=forms.CheckboxSelectMultiple
    )

    class Meta:
        model = GroupGrant
        fields = ("user", "team", "rights")


class GroupGrantInline(GrantInline):
    model = GroupGrant
    form = GroupGrantForm


class GroupMemberInline(admin.TabularInline):
    model = GroupMember
    extra = 0
    fields = readonly_fields = ("name", "last_seen_at")
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(ConsumerGroup)
class ConsumerGroupAdmin(admin.ModelAdmin):
    form = GroupForm
    list_display = ("name", "stream", "owner_name", "mode", "lag", "lost", "is_paused", "created_at")
    list_filter = ("mode", "is_paused")
    list_select_related = ("stream", "owner", "owner_team")
    list_per_page = 50
    search_fields = ("name", "stream__name")
    autocomplete_fields = ("stream", "owner", "owner_team")
    inlines = (GroupGrantInline, GroupOffsetInline, GroupMemberInline)
    actions = ("pause", "resume")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ConsumerGroup]:
        return with_offsets(super().get_queryset(request))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        # What most groups want; the form's own fields know nothing of the model's defaults.
        usual = ConsumerGroup()
        defaults = {name: getattr(usual, name) for name in DELIVERY_FIELDS}
        return {"owner": request.user.pk, **defaults, **super().get_changeform_initial_data(request)}

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        # First it is made, then it is shared.
        return self.inlines if obj else ()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ("stream", "name", "mode", "start") if obj else ()

    @admin.display(description="lag")
    def lag(self, group: ConsumerGroup) -> int:
        return lag_of(group.offsets.all())

    @admin.display(description="lost")
    def lost(self, group: ConsumerGroup) -> int:
        return lost_of(group.offsets.all())

    def save_model(self, request: HttpRequest, group: ConsumerGroup, form: Any, change: bool) -> None:  # noqa: FBT001 (Django's)
        if change:
            # As the database has it: the form's own is changed already, which would be told as no change.
            stored = ConsumerGroup.objects.get(pk=group.pk)
            change_group(group=stored, changes={name: form.cleaned_data[name] for name in form.changed_data})
            return
        settings = GroupSettings(
            mode=group.mode,
            start=group.start,
            ack_wait_seconds=group.ack_wait_seconds,
            max_failures=group.max_failures,
            max_deliveries=group.max_deliveries,
            backoff_seconds=tuple(group.backoff_seconds),
            ordering=group.ordering,
            max_in_flight=group.max_in_flight,
            is_paused=group.is_paused,
            filter=group.filter,
        )
        created, _ = create_group(
            stream=info_of(group.stream), name=group.name, settings=settings, owner=group.owned_by
        )
        group.pk = created.pk

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: Any) -> None:
        group: ConsumerGroup = form.instance
        save_grants(
            request,
            formset,
            shared=AuditAction.GROUP_SHARED,
            unshared=AuditAction.GROUP_UNSHARED,
            stream=(group.stream_id, group.stream.name),
            group=(group.pk, group.name),
        )
        # The form is one transaction: who asks before it ends is told the old.
        transaction.on_commit(forget_groups)

    def delete_model(self, request: HttpRequest, group: ConsumerGroup) -> None:
        delete_group(group=group, confirm=group.name)

    def delete_queryset(self, request: HttpRequest, groups: QuerySet[ConsumerGroup]) -> None:
        for group in groups:
            delete_group(group=group, confirm=group.name)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Name what goes without loading it: a group may have many deliveries and dead letters."""
        counts = count_open_dead_letters([group.pk for group in objs])
        names = [
            f"{group.stream.name}: {group.name}, its offsets, deliveries and dead letters "
            f"({counts.get(group.pk, 0)} open)"
            for group in objs
        ]
        return names, {"consumer groups": len(names)}, set(), []

    @admin.action(description="Pause")
    def pause(self, request: HttpRequest, groups: QuerySet[ConsumerGroup]) -> None:
        self._set_paused(request, groups, paused=True)

    @admin.action(description="Resume")
    def resume(self, request: HttpRequest, groups: QuerySet[ConsumerGroup]) -> None:
        self._set_paused(request, groups, paused=False)

    def _set_paused(self, request: HttpRequest, groups: QuerySet[ConsumerGroup], *, paused: bool) -> None:
        for group in groups:
            change_group(group=group, changes={"is_paused": paused})
        self.message_user(request, f"{len(groups)} groups {'paused' if paused else 'resumed'}.", messages.SUCCESS)
