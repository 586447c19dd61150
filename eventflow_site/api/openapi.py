"""OpenAPI: every endpoint's problems, and the two ways to say who is asking."""

import inspect
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from drf_spectacular.utils import OpenApiResponse, inline_serializer
from rest_framework import serializers

from accounts.http.fields import StrictCharField, StrictMapField, StrictSerializer
from accounts.http.idempotent import IDEMPOTENCY
from accounts.http.parameters import PARAMETER_TEXT
from accounts.names import NAME_PATTERN
from accounts.permissions import PersonOnly
from accounts.row_ids import MAX_ROW_ID
from eventflow_site.api import struct_schemas  # noqa: F401 - the extension in it registers itself
from streams.conf import MAX_OFFSET, MAX_REQUEST_EVENTS

ProblemSerializer = inline_serializer(
    "Problem",
    {
        "type": serializers.CharField(),
        "title": serializers.CharField(),
        "status": serializers.IntegerField(),
        "detail": serializers.CharField(),
        "code": serializers.CharField(),
        "request_id": serializers.CharField(),
        "retryable": serializers.BooleanField(),
        "head": serializers.IntegerField(required=False, help_text="With `head_moved`: where it is."),
        "bucket": serializers.CharField(required=False, help_text="With `rate_limited`: of what there was too much."),
        "quota": serializers.CharField(required=False, help_text="With `quota_exceeded`: which one."),
        "errors": inline_serializer(
            "ProblemItem",
            {
                "pointer": serializers.CharField(help_text="Into the body; of a parameter its name, `?limit`."),
                "code": serializers.CharField(),
                "detail": serializers.CharField(),
                "schema_version": serializers.IntegerField(
                    required=False, allow_null=True, help_text="Of the schema that a payload does not fit."
                ),
            },
            many=True,
            required=False,
        ),
    },
)
_ROW_ID: dict[str, Any] = {"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX_ROW_ID}
# What stands in addresses: Django's converters take any text, the views do not.
_PATH_PARAMETERS: dict[str, dict[str, Any]] = {
    "stream": {"type": "string", "pattern": NAME_PATTERN},
    "group": {"type": "string", "pattern": NAME_PATTERN},
    "key_id": {"type": "string", "pattern": "^[0-9A-Za-z]{1,64}$"},
    "session_id": {"type": "string", "pattern": "^[0-9a-f]{1,32}$"},
    "team": {"type": "string", "pattern": NAME_PATTERN},
    "user": {"type": "string", "format": "email", "maxLength": 254},
    "dead_letter_id": _ROW_ID,
    "action_id": _ROW_ID,
    "delivery_id": _ROW_ID,
    "grant_id": _ROW_ID,
    "mirror_id": _ROW_ID,
    "move_id": _ROW_ID,
    "rule_id": _ROW_ID,
    "channel_id": _ROW_ID,
    "partition": {"type": "integer", "format": "int64", "minimum": 0, "maximum": MAX_OFFSET},
    "offset": {"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX_OFFSET},
}
# All that their bodies may say is optional: to send none is to say nothing.
_BODY_IS_OPTIONAL = {"rotate_api_key", "redrive_dead_letter", "discard_dead_letter", "resolve_dead_letter"}
_COMMON = (400, 401, 403, 404, 405, 409, 413, 414, 415, 422, 429, 503)
# 408, 411: of a body. 507: who has a quota has used it up.
_OF_WHAT_IS_SENT = (408, 411, 507)
# Where addresses end that need an event which retention may have taken: 410.
_OF_AN_EVENT = ("/{offset}", "/{offset}/erase", "/{group}/dead-letters", "/{dead_letter_id}/redrive")


class CallerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Names both credentials for CallerAuthentication."""

    target_class = "accounts.authentication.CallerAuthentication"
    name = ["accessToken", "apiKey"]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        return [
            {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        ]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        # What only people may do takes no key.
        is_for_people = any(isinstance(each, PersonOnly) for each in auto_schema.view.get_permissions())
        return [{"accessToken": []}] if is_for_people else [{"accessToken": []}, {"apiKey": []}]


class ProblemAutoSchema(AutoSchema):
    """Adds to each operation that any of its refusals is a problem document."""

    def map_parsers(self) -> list[str]:
        # The parsers let any media type in, so that its refusal is a problem document too.
        return ["application/json"]

    def get_override_parameters(self) -> list[Any]:
        handler = getattr(self.view, getattr(self.view, "action", None) or self.method.lower(), None)
        is_idempotent = getattr(handler, "is_idempotent", False)
        return [*super().get_override_parameters(), *(IDEMPOTENCY if is_idempotent else ())]

    def _insert_field_validators(self, field: Any, schema: dict[str, Any]) -> None:
        super()._insert_field_validators(field, schema)  # type: ignore[no-untyped-call]
        if isinstance(field, StrictCharField) and schema.get("type") == "string":
            schema.setdefault("pattern", field.pattern)
        elif isinstance(field, StrictMapField):
            schema["maxProperties"] = field.most

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        responses = super()._get_response_bodies(direction)
        of_what_is_sent = _OF_WHAT_IS_SENT if self.method in ("POST", "PATCH") else ()
        of_an_event = (410,) if self.path.endswith(_OF_AN_EVENT) else ()
        for status in (*_COMMON, *of_what_is_sent, *of_an_event):
            responses.setdefault(
                str(status),
                self._get_response_for_code(  # type: ignore[no-untyped-call]
                    OpenApiResponse(
                        ProblemSerializer, description="Refused: the problem says what, where and how to mend it."
                    ),
                    str(status),
                    media_types=["application/problem+json"],
                ),
            )
        return responses


def say_what_is_refused(result: dict[str, Any], generator: Any, **_context: Any) -> dict[str, Any]:
    """Make the document as strict as the API."""
    schemas = result["components"]["schemas"]
    for name, schema in schemas.items():
        if name.endswith("Request") and "properties" in schema:
            _complete_body(schema, generator.registry[name, ResolvedComponent.SCHEMA].object)
    for name in ("EventsInRequest", "EventsInStreamRequest"):
        schemas[name]["oneOf"][1] |= {"minItems": 1, "maxItems": MAX_REQUEST_EVENTS}
    for operations in result["paths"].values():
        for operation in operations.values():
            if "requestBody" in operation:
                operation["requestBody"]["required"] = operation["operationId"] not in _BODY_IS_OPTIONAL
            for parameter in operation.get("parameters", ()):
                _complete_parameter(parameter)
                if parameter["name"] in ("If-Match", "If-Head"):
                    operation["responses"]["412"] = operation["responses"]["409"]
    return result


def _complete_body(schema: dict[str, Any], made_of: Any) -> None:
    """Say that there are no other fields, and what they want of each other."""
    schema["additionalProperties"] = False
    if isinstance(made_of, StrictSerializer):
        schema.update(made_of.beyond_fields())
    if schema.get("description") == inspect.getdoc(StrictSerializer):
        # What a class inherits is written for its authors.
        del schema["description"]


def _complete_parameter(parameter: dict[str, Any]) -> None:
    """Say the true form of what stands in an address or a query."""
    if parameter["in"] == "path":
        parameter["schema"] = _PATH_PARAMETERS.get(parameter["name"], parameter["schema"])
    elif parameter["in"] == "query" and parameter["schema"].get("type") == "string":
        parameter["schema"] = PARAMETER_TEXT | parameter["schema"]
