"""What can go wrong by the rules. Which HTTP status each is, eventflow_site/api/errors.py says."""

from typing import ClassVar


class DomainError(Exception):
    """A refusal by a rule of the domain: it names what happened and how to mend it.

    Attributes:
        code: stable snake_case name, part of the API's contract.
        title: the same in words, the same for every occurrence.
        detail: what happened this time and what to do about it.
    """

    code: ClassVar[str] = "refused"
    title: ClassVar[str] = "Refused"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title


class InvalidCredentials(DomainError):
    code = "invalid_credentials"
    title = "Invalid credentials"


class CredentialsMissing(DomainError):
    code = "credentials_missing"
    title = "Credentials missing"


class AmbiguousCredentials(DomainError):
    code = "ambiguous_credentials"
    title = "More than one credential"


class LoginThrottled(DomainError):
    code = "login_throttled"
    title = "Too many failed sign-ins"

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"Too many failed sign-ins. Try again in {retry_after_seconds} seconds.")
        self.retry_after_seconds = retry_after_seconds


class ScopeMissing(DomainError):
    code = "scope_missing"
    title = "Right missing"


class UserNotFound(DomainError):
    code = "user_not_found"
    title = "User not found"


class ApiKeyNotFound(DomainError):
    code = "api_key_not_found"
    title = "API key not found"


class ApiKeyRevoked(DomainError):
    code = "api_key_revoked"
    title = "API key is revoked"


class InvalidIdempotencyKey(DomainError):
    code = "invalid_idempotency_key"
    title = "Invalid Idempotency-Key"


class IdempotencyKeyReused(DomainError):
    code = "idempotency_key_reused"
    title = "Idempotency-Key used before with another request"


class IdempotencyInProgress(DomainError):
    code = "idempotency_in_progress"
    title = "A request with this Idempotency-Key is still under way"


class UnknownField(DomainError):
    """A field or parameter that the endpoint does not have, named so that a typo is found."""

    code = "unknown_field"
    title = "Unknown field"

    def __init__(self, names: list[str], *, where: str = "body") -> None:
        super().__init__(f"Not a known {where} field: {', '.join(name[:60] for name in sorted(names)[:5])}.")
        self.names = sorted(names)[:20]
        self.where = where


class InvalidParameter(DomainError):
    """A query parameter that does not have the form it must have."""

    code = "invalid_parameter"
    title = "Invalid parameter"

    def __init__(self, parameter: str, detail: str, *, code: str | None = None) -> None:
        super().__init__(f"{parameter}: {detail}")
        self.parameter = parameter
        self.parameter_code = code or self.code


# --- the body of a request ---


class InvalidJson(DomainError):
    code = "invalid_json"
    title = "Not valid JSON"


class InvalidUtf8(DomainError):
    code = "invalid_utf8"
    title = "Not valid UTF-8"


class InvalidUnicode(DomainError):
    code = "invalid_unicode"
    title = "Not valid Unicode"


class TooDeep(DomainError):
    code = "too_deep"
    title = "Nested too deeply"


class EmptyBody(DomainError):
    code = "empty_body"
    title = "Empty body"


class ExpectedObject(DomainError):
    code = "expected_object"
    title = "Expected a JSON object"


class PayloadTooLarge(DomainError):
    code = "payload_too_large"
    title = "Too large"


class BodyTruncated(DomainError):
    code = "body_truncated"
    title = "Body cut short"


class UnsupportedMediaType(DomainError):
    code = "unsupported_media_type"
    title = "Unsupported media type"


class UnsupportedCharset(DomainError):
    code = "unsupported_charset"
    title = "Unsupported charset"


class UnsupportedEncoding(DomainError):
    code = "unsupported_encoding"
    title = "Unsupported content encoding"
