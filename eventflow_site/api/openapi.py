"""OpenAPI: every endpoint's problems, and the two ways to say who is asking."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse, inline_serializer
from rest_framework import serializers

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
_COMMON = (400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 503)


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

    def _get_response_bodies(self, direction: Any = "response") -> Any:
        responses = super()._get_response_bodies(direction)
        for status in _COMMON:
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
