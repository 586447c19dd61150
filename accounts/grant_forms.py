"""What the admin's inlines of grants have in common, whatever is granted."""

from typing import Any, cast

from django.contrib import admin
from django.http import HttpRequest

from accounts.models import Grant, User


class GrantInline(admin.TabularInline):
    """Who else may do something with a thing; who grants it here, is noted."""

    extra = 0
    autocomplete_fields = ("user", "team")
    fields = ("user", "team", "rights", "granted_by", "created_at")
    readonly_fields = ("granted_by", "created_at")


def save_grants(request: HttpRequest, formset: Any) -> None:
    """Save what an inline of grants holds, and note who gave them."""
    for grant in formset.save(commit=False):
        if isinstance(grant, Grant):
            grant.granted_by = cast("User", request.user).email
        grant.save()
    for gone in formset.deleted_objects:
        gone.delete()
