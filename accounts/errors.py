"""What can go wrong by the rules. Which HTTP status each is, eventflow_site/api/errors.py says."""

from datetime import datetime
from typing import ClassVar, NamedTuple, Self

from accounts.conf import MAX_FIELD_VALUES


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

    def __copy__(self) -> Self:
        """Return the same refusal for another thread: one object that several raise would mix up their tracebacks."""
        other = type(self).__new__(type(self), *self.args)
        other.__dict__.update(self.__dict__)
        return other


class InvalidCredentials(DomainError):
    """The access token, API key or password is wrong, has expired or was revoked.

    Sign in again or refresh the token; replace the key. The answer does not say which of these it was.
    """

    code = "invalid_credentials"
    title = "Invalid credentials"


class CredentialsMissing(DomainError):
    """The endpoint wants to know who asks, and the request does not say.

    Send `Authorization: Bearer <access token>` or `X-API-Key: evf_…`, as a header: a key in the address is
    never read.
    """

    code = "credentials_missing"
    title = "Credentials missing"


class AddressNotAllowed(DomainError):
    """The API key is right, but may not be used from the address that the request came from.

    Send the request from one of the key's addresses, or make a key for this one. Behind a proxy: the operator must
    have said that it is trusted, or every request has the proxy's address.
    """

    code = "address_not_allowed"
    title = "Not from this address"


class AmbiguousCredentials(DomainError):
    """The request carries both an access token and an API key, or one of them twice.

    Send one of them.
    """

    code = "ambiguous_credentials"
    title = "More than one credential"


class LoginThrottled(DomainError):
    """Too many sign-ins failed from this address, for this account or for several.

    Wait as long as `Retry-After` says. A right password is refused as well until then, but only from this address (of
    IPv6: from its /64). What is tried meanwhile does not count.
    """

    code = "login_throttled"
    title = "Too many failed sign-ins"

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(f"Too many failed sign-ins. Try again in {retry_after_seconds} seconds.")
        self.retry_after_seconds = retry_after_seconds


class SessionNotFound(DomainError):
    """There is no such session, it has ended, or it is somebody else's.

    `GET /auth/sessions` lists your own.
    """

    code = "session_not_found"
    title = "Session not found"


class WrongPassword(DomainError):
    """The current password, which a change of it asks for, is another one.

    Try again; tries are limited as they are when signing in.
    """

    code = "wrong_password"
    title = "Wrong password"


class WeakPassword(DomainError):
    """The new password is too short, too common or too much like the name or the address.

    Choose another one; `detail` says what is wrong with it.
    """

    code = "weak_password"
    title = "Weak password"

    def __init__(self, faults: list[str]) -> None:
        super().__init__(" ".join(faults))


class ScopeMissing(DomainError):
    """The caller is known, but may not do this: by role, by what they are to the stream, or by scope.

    Ask the stream's owner or an admin, or use a key with the scope that `detail` names.
    """

    code = "scope_missing"
    title = "Right missing"


class UserNotFound(DomainError):
    """The e-mail address belongs to no active user.

    Check the address; the user may have been disabled.
    """

    code = "user_not_found"
    title = "User not found"


class TeamNotFound(DomainError):
    """There is no such team, or the caller is not a member of it: the two look the same.

    Check the name; `GET /teams` lists those that you may see. Admins make teams.
    """

    code = "team_not_found"
    title = "Team not found"

    def __init__(self) -> None:
        super().__init__("There is no such team, or you may not see it.")


class UnknownTeam(DomainError):
    """A team that the request names, as an owner or to be granted something, is not there for the caller.

    Check the name. Whoever is no admin can make their own teams owners, and grant to any.
    """

    code = "unknown_team"
    title = "Unknown team"

    def __init__(self) -> None:
        super().__init__("There is no such team, or you are not a member.")


class TeamExists(DomainError):
    """A team of that name exists already.

    Choose another name, or use the team that is there.
    """

    code = "team_exists"
    title = "A team of that name exists"


class TeamOwns(DomainError):
    """The team owns streams or consumer groups, which would belong to nobody.

    Give them to somebody else first (`PATCH` with `owner`), or delete them.
    """

    code = "team_owns"
    title = "The team owns something"


class TooManyMembers(DomainError):
    """A team has at most 1,000 members.

    Make a second team.
    """

    code = "too_many_members"
    title = "Too many members"


class LastChange(NamedTuple):
    """Who changed some settings, which of them, and when: `2026-11-22T10:00:00Z`."""

    who: str
    fields: tuple[str, ...]
    at: datetime

    def __str__(self) -> str:
        return f"{self.who} changed {', '.join(self.fields)[:80]} at {self.at:%Y-%m-%dT%H:%M:%SZ}"


class PreconditionFailed(DomainError):
    """What was to be changed or deleted is not as the caller has seen it: its `ETag` is none of those in `If-Match`.
    Nothing was done.

    `detail` says who changed what last. Get it again, look at what is there now, and send the change with its new
    `ETag`; a `PATCH` that names only what it changes leaves the rest as it is.
    """

    code = "precondition_failed"
    title = "Changed meanwhile"

    def __init__(self, thing: str, *, version: str, last_change: LastChange | None) -> None:
        told = f" {last_change}." if last_change else ""
        super().__init__(
            f"{thing} is not as you have seen it.{told} Nothing was done. Get it again, and send what you want anew."
        )
        self.version = version
        self.last_change = last_change


class GrantNotFound(DomainError):
    """There is no such grant on this stream or group.

    `GET …/grants` lists those that there are.
    """

    code = "grant_not_found"
    title = "Grant not found"


class GrantUseless(DomainError):
    """What is to be granted could not be used: the user's roles do not allow it, or the stream is hidden from them.

    Give them the role first (an admin can), or for a group's grant the right to consume its stream.
    """

    code = "grant_useless"
    title = "The grant would allow nothing"


class TooManyGrants(DomainError):
    """A stream or a group has at most 100 grants.

    Make a team of those who need the same rights, and grant them to the team.
    """

    code = "too_many_grants"
    title = "Too many grants"


class RateLimited(DomainError):
    """The key, or its owner with all keys together, asks for more than this installation lets one caller have.
    Nothing was done.

    `bucket` names of what: `requests`, `events` or `bytes` in the long run; `waiting` requests, `reads` and
    `downloads` at a time. Wait as long as `Retry-After` says, then go on more slowly: a batch is one request, and a
    lease or a poll can take many events. The operator sets the rates (`EVENTFLOW_LIMIT_…`).
    """

    code = "rate_limited"
    title = "Too much at once"

    def __init__(self, bucket: str, whose: str, retry_after_seconds: int) -> None:
        super().__init__(f"The limit of {bucket} for this {whose} is reached. Retry in {retry_after_seconds} s.")
        self.bucket = bucket
        self.whose = whose
        self.retry_after_seconds = retry_after_seconds

    def __copy__(self) -> Self:
        return type(self)(self.bucket, self.whose, self.retry_after_seconds)


class QuotaExceeded(DomainError):
    """Whoever owns it would have more streams, partitions, groups, keys or stored bytes than this installation allows.

    `quota` names which. Delete what is not needed, shorten the retention, or ask the operator for more
    (`EVENTFLOW_QUOTA_…`).
    """

    code = "quota_exceeded"
    title = "Quota exceeded"

    def __init__(self, quota: str, detail: str) -> None:
        super().__init__(detail)
        self.quota = quota

    def __copy__(self) -> Self:
        return type(self)(self.quota, self.detail)


class ApiKeyNotFound(DomainError):
    """There is no such API key, or it is somebody else's.

    `GET /api-keys` lists the keys that you may see; the id is not the secret.
    """

    code = "api_key_not_found"
    title = "API key not found"


class ApiKeyRevoked(DomainError):
    """A key that was revoked or has expired cannot be rotated, nor one whose scopes its user's roles no longer allow.

    Create a new one.
    """

    code = "api_key_revoked"
    title = "API key is revoked"


class InvalidIdempotencyKey(DomainError):
    """The `Idempotency-Key` header is empty, too long, given twice, or has characters that it may not have.

    Send one key of 1 to 255 printable ASCII characters without spaces, commas and quotes; a UUID will do.
    """

    code = "invalid_idempotency_key"
    title = "Invalid Idempotency-Key"


class IdempotencyKeyReused(DomainError):
    """This `Idempotency-Key` was used before, by the same caller, with another request. Nothing was done.

    Make a new key for each new request; a retry repeats address and body byte for byte.
    """

    code = "idempotency_key_reused"
    title = "Idempotency-Key used before with another request"


class IdempotencyInProgress(DomainError):
    """The first request with this `Idempotency-Key` has not ended yet: its outcome is unknown.

    Retry in a moment with the same key; the answer of the first one is then repeated.
    """

    code = "idempotency_in_progress"
    title = "A request with this Idempotency-Key is still under way"


class UnknownField(DomainError):
    """A field or parameter that the endpoint does not have, named so that a typo is found.

    Correct the name that `errors` points to, or leave it out: nothing is ignored in silence.
    """

    code = "unknown_field"
    title = "Unknown field"

    def __init__(self, names: list[str], *, where: str = "body") -> None:
        super().__init__(f"Not a known {where} field: {', '.join(name[:60] for name in sorted(names)[:5])}.")
        self.names = sorted(names)[:20]
        self.where = where


class InvalidParameter(DomainError):
    """A query parameter that does not have the form it must have.

    Correct the parameter that `errors` names; `detail` says which form it must have.
    """

    code = "invalid_parameter"
    title = "Invalid parameter"

    def __init__(self, parameter: str, detail: str, *, code: str | None = None) -> None:
        super().__init__(f"{parameter}: {detail}")
        self.parameter = parameter
        self.fault = detail
        self.parameter_code = code or self.code


class FieldFault(NamedTuple):
    """One value of a body that a rule refuses: a JSON pointer, a stable code, and what to do."""

    pointer: str
    code: str
    detail: str


class UnusableFields(DomainError):
    """The body is well formed, but some of its values are of no use to whom it is about.

    Correct the values that `errors` points to.
    """

    code = "invalid_request"
    title = "Invalid request"

    def __init__(self, faults: list[FieldFault]) -> None:
        super().__init__(f"Some fields cannot be accepted. {faults[0].detail}")
        self.faults = faults


class TooManyValues(DomainError):
    """A field of the body holds more values than any endpoint takes: it was not even looked at which.

    Send fewer; several requests, where an endpoint takes a list.
    """

    code = "invalid_request"
    title = "Invalid request"

    def __init__(self, field: str) -> None:
        super().__init__("Some fields cannot be accepted.")
        self.field = field
        self.fault = f"At most {MAX_FIELD_VALUES} values."


# --- the body of a request ---


class InvalidJson(DomainError):
    """The body is not strict JSON.

    Send one JSON document: no comments, no trailing comma, no `NaN`, no byte order mark.
    """

    code = "invalid_json"
    title = "Not valid JSON"


class InvalidUtf8(DomainError):
    """The body is not UTF-8 text, or has NUL bytes.

    Encode it as UTF-8. UTF-16 is the usual cause of NUL bytes.
    """

    code = "invalid_utf8"
    title = "Not valid UTF-8"


class InvalidUnicode(DomainError):
    r"""A `\u` escape is half of a surrogate pair, or a name or a text that goes into a column has `\u0000`.

    Send whole characters. In an event's payload, key and headers `\u0000` is allowed.
    """

    code = "invalid_unicode"
    title = "Not valid Unicode"


class TooDeep(DomainError):
    """The document is nested more than 64 levels deep.

    Flatten it, or send the deep part as a string.
    """

    code = "too_deep"
    title = "Nested too deeply"


class EmptyBody(DomainError):
    """The endpoint expects a JSON document, and there is none.

    Send a body; look for a redirect or a client that drops it.
    """

    code = "empty_body"
    title = "Empty body"

    def __init__(self, detail: str = "The body is empty; a JSON document is expected.") -> None:
        super().__init__(detail)


class ExpectedObject(DomainError):
    """The body is JSON, but not an object (for appends also: not an array of objects, or an empty one).

    Wrap the value in an object.
    """

    code = "expected_object"
    title = "Expected a JSON object"


class PayloadTooLarge(DomainError):
    """The request, one of its events, or the number of its events is over a limit. Nothing was stored.

    Send smaller batches; keep large documents elsewhere and append a reference. The limits are in
    `docs/api.md`.
    """

    code = "payload_too_large"
    title = "Too large"


class BodyTruncated(DomainError):
    """Fewer bytes came than `Content-Length` promised. Nothing was stored.

    Send it again; if it happens often, look at the proxy in between.
    """

    code = "body_truncated"
    title = "Body cut short"


class LengthRequired(DomainError):
    """The body came in chunks, without `Content-Length`, and is not one JSON document: if it were cut short on
    its way, nobody could tell. Nothing was stored.

    Send `Content-Length`, the events as one JSON array, or the lines packed with gzip or zstd.
    """

    code = "length_required"
    title = "Content-Length required"


class BodyTooSlow(DomainError):
    """The body did not come, or came more slowly than is waited for. Nothing was stored.

    Send it in one go. A body may pause for 10 seconds and take a minute in all; the connection is closed.
    """

    code = "body_too_slow"
    title = "Body too slow"


class TooManySlowBodies(DomainError):
    """Too many requests were begun, by you or by all, whose bodies have not come. Nothing was stored.

    Finish or end those requests, then retry.
    """

    code = "too_many_slow_bodies"
    title = "Too many bodies under way"


class UnsupportedMediaType(DomainError):
    """The `Content-Type` is none that this endpoint reads.

    Send `application/json`; for appends `application/x-ndjson` is read as well, and CloudEvents
    (`docs/cloudevents.md`).
    """

    code = "unsupported_media_type"
    title = "Unsupported media type"


class NotAcceptable(DomainError):
    """`Accept` asks for CloudEvents in a form that this endpoint does not answer in.

    Several events are `application/cloudevents-batch+json`, one is `application/cloudevents+json`; without either the
    answer is `application/json`.
    """

    code = "not_acceptable"
    title = "Not acceptable"

    def __init__(self, wanted: str) -> None:
        super().__init__(f"Here CloudEvents are answered as {wanted}: ask for that, or for application/json.")


class UnsupportedCharset(DomainError):
    """The `Content-Type` names a charset that is not UTF-8.

    Send UTF-8, and leave the charset out.
    """

    code = "unsupported_charset"
    title = "Unsupported charset"


class UnsupportedEncoding(DomainError):
    """The body has a `Content-Encoding` other than `gzip` and `zstd`, or more than one.

    Send it as it is, or packed once in one of these ways.
    """

    code = "unsupported_encoding"
    title = "Unsupported content encoding"


class BrokenEncoding(DomainError):
    """The body is not what its `Content-Encoding` says: it is damaged, was cut short, or something follows its end.
    Nothing was stored.

    Pack the whole body once, as one gzip member or one zstd frame with a window of at most 8 MiB.
    """

    code = "broken_encoding"
    title = "Body cannot be unpacked"
