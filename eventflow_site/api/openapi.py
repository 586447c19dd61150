"""OpenAPI: every endpoint's problems, and the two ways to say who is asking."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse, inline_serializer
from rest_framework import serializers

from accounts.http.fields import StrictSerializer
from accounts.names import NAME_PATTERN
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
        "errors": inline_serializer(
            "ProblemItem",
            {"pointer": serializers.CharField(), "code": serializers.CharField(), "detail": serializers.CharField()},
            many=True,
            required=False,
        ),
    },
)
# What stands in addresses: Django's converters take any text, the views do not.
_PATH_PARAMETERS: dict[str, dict[str, Any]] = {
    "stream": {"type": "string", "pattern": NAME_PATTERN},
    "group": {"type": "string", "pattern": NAME_PATTERN},
    "key_id": {"type": "string", "pattern": "^[0-9A-Za-z]{1,64}$"},
    "session_id": {"type": "string", "pattern": "^[0-9a-f]{1,32}$"},
    "dead_letter_id": {"type": "integer", "format": "int64", "minimum": 1},
    "action_id": {"type": "integer", "format": "int64", "minimum": 1},
    "partition": {"type": "integer", "format": "int64", "minimum": 0, "maximum": MAX_OFFSET},
    "offset": {"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX_OFFSET},
}
# All that their bodies may say is optional: to send none is to say nothing.
_BODY_IS_OPTIONAL = {"rotate_api_key", "redrive_dead_letter", "discard_dead_letter", "resolve_dead_letter"}
_COMMON = (400, 401, 403, 404, 405, 409, 413, 414, 415, 422, 429, 503)


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
        return [{"accessToken": []}, {"apiKey": []}]


class ProblemAutoSchema(AutoSchema):
    """Adds to each operation that any of its refusals is a problem document."""

    def map_parsers(self) -> list[str]:
        # The parsers let any media type in, so that its refusal is a problem document too.
        return ["application/json"]

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        responses = super()._get_response_bodies(direction)
        more = (411,) if self.method in ("POST", "PATCH") else (410,) if self.path.endswith("{offset}") else ()
        for status in (*_COMMON, *more):
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


def say_what_is_refused(result: dict[str, Any], **_context: Any) -> dict[str, Any]:
    """Make the document as strict as the API: no unknown fields, and the true form of path parameters."""
    for name, schema in result["components"]["schemas"].items():
        if name.endswith("Request") and "properties" in schema:
            schema["additionalProperties"] = False
            if schema.get("description") == StrictSerializer.__doc__:
                # What a class inherits is written for its authors.
                del schema["description"]
    events = result["components"]["schemas"]["EventsInRequest"]["oneOf"]
    events[1] |= {"minItems": 1, "maxItems": MAX_REQUEST_EVENTS}
    for operations in result["paths"].values():
        for operation in operations.values():
            if "requestBody" in operation:
                operation["requestBody"]["required"] = operation["operationId"] not in _BODY_IS_OPTIONAL
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == "If-Match":
                    operation["responses"]["412"] = operation["responses"]["409"]
                if parameter["in"] == "path":
                    parameter["schema"] = _PATH_PARAMETERS.get(parameter["name"], parameter["schema"])
    return result
