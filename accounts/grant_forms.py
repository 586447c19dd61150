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
        stored = type(grant).objects.filter(pk=grant.pk).first()
        grant.save()
        if stored is not None and stored.grantee != grant.grantee:
            # It is another's now.
            record(unshared, target=stored.grantee, stream=stream, group=group, before={"rights": stored.rights})
            stored = None
        record(
            shared,
            target=grant.grantee,
            stream=stream,
            group=group,
            before={"rights": stored.rights} if stored else None,
            after={"rights": sorted(grant.rights)},
        )
    for gone in formset.deleted_objects:
        record(unshared, target=gone.grantee, stream=stream, group=group, before={"rights": gone.rights})
        gone.delete()
