"""What the admin's inlines of grants have in common, whatever is granted."""

from typing import Any, cast

from django.contrib import admin
from django.http import HttpRequest

from accounts.audit_actions import AuditAction
from accounts.models import Grant, User
from accounts.services.audit import record


class GrantInline(admin.TabularInline):
    """Who else may do something with a thing; who grants it here, is noted."""

    extra = 0
    autocomplete_fields = ("user", "team")
    fields = ("user", "team", "rights", "granted_by", "created_at")
    readonly_fields = ("granted_by", "created_at")


def save_grants(
    request: HttpRequest,
    formset: Any,
    *,
    shared: AuditAction,
    unshared: AuditAction,
    stream: tuple[int, str],
    group: tuple[int, str] | None = None,
) -> None:
    """Save what an inline of grants holds, and note who gave them.

    Args:
        shared, unshared: what the audit trail calls it.
        stream, group: what is shared, or where it is, as `record` takes it.
    """
    for grant in formset.save(commit=False):
        if isinstance(grant, Grant):
            grant.granted_by = cast("User", request.user).email
        grant.save()
        record(shared, target=str(grant), stream=stream, group=group)
    for gone in formset.deleted_objects:
        record(unshared, target=str(gone), stream=stream, group=group)
        gone.delete()
