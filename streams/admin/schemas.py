"""Schemas in the admin: to look at. They are registered by who manages the stream, and never changed."""

import json
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.read_only_admin import ReadOnlyAdmin
from streams.models import EventSchema


@admin.register(EventSchema)
class EventSchemaAdmin(ReadOnlyAdmin):
    list_display = (
        "type",
        "version",
        "stream",
        "compatibility",
        "refused_count",
        "marked_count",
        "last_invalid_at",
        "created_at",
    )
    list_filter = ("compatibility",)
    list_select_related = ("stream",)
    search_fields = ("type", "stream__name")
    ordering = ("stream__name", "type", "-version")
    fields = (
        "stream",
        "type",
        "version",
        "compatibility",
        "created_at",
        "created_by",
        "refused_count",
        "marked_count",
        "last_invalid_at",
        "readable_document",
    )

    @admin.display(description="schema")
    def readable_document(self, schema: EventSchema) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(json.loads(schema.document), indent=2, ensure_ascii=False))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields
