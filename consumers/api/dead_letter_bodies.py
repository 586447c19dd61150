"""What the dead-letter verbs take."""

from typing import Any

import msgspec
from rest_framework.parsers import BaseParser

from accounts.conf import MAX_BODY_BYTES
from accounts.errors import ExpectedObject, TooDeep
from accounts.http.bodies import read_body
from accounts.http.fields import (
    StrictBooleanField,
    StrictCharField,
    StrictChoiceField,
    StrictDateTimeField,
    StrictIntegerField,
    StrictListField,
    StrictSerializer,
)
from accounts.http.strict_json import check_text, decode_object, exceeds_depth, explain_decode_error
from consumers.conf import MAX_BULK_IDS, MAX_NOTE_CHARACTERS
from consumers.dead_letter_queries import DeadLetterFilter
from consumers.states import DeadLetterStatus, ExhaustedReason
from streams.conf import MAX_EVENT_BYTES, MAX_OFFSET, MAX_PARTITIONS, MAX_TYPE_CHARACTERS

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


class DeadLetterFilterSerializer(StrictSerializer):
    stream = StrictCharField(required=False, max_length=128)
    group = StrictCharField(required=False, max_length=128)
    status = StrictChoiceField(choices=[status.value for status in DeadLetterStatus], required=False)
    reason = StrictChoiceField(choices=[reason.value for reason in ExhaustedReason], required=False)
    since = StrictDateTimeField(required=False)
    until = StrictDateTimeField(required=False)
    type = StrictCharField(required=False, max_length=MAX_TYPE_CHARACTERS)
    fingerprint = StrictCharField(required=False, max_length=16)

    def as_filter(self) -> DeadLetterFilter:
        return DeadLetterFilter(**self.validated_data)


def parse_filter(given: Any) -> DeadLetterFilter:
    """Return the filter that a query or a body describes.

    Raises:
        ValidationError
    """
    serializer = DeadLetterFilterSerializer(data=given)
    serializer.is_valid(raise_exception=True)
    return serializer.as_filter()


class NoteSerializer(StrictSerializer):
    note = StrictCharField(required=False, default="", max_length=MAX_NOTE_CHARACTERS, allow_blank=True)


class BulkFilterSerializer(DeadLetterFilterSerializer):
    ids = StrictListField(
        child=StrictIntegerField(low=1, high=MAX_OFFSET), min_length=1, max_length=MAX_BULK_IDS, required=False
    )


class BulkSerializer(NoteSerializer):
    filter = BulkFilterSerializer()
    dry_run = StrictBooleanField(default=False)


class ReportSerializer(StrictSerializer):
    partition = StrictIntegerField(low=0, high=MAX_PARTITIONS - 1, default=0)
    offset = StrictIntegerField(low=1, high=MAX_OFFSET)
    error = StrictCharField(required=False, default="", allow_blank=True, max_length=100_000)


class RawPayloadParser(BaseParser):
    """A JSON object whose `payload`, if there is one, stays the bytes that were sent."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        body = read_body(stream, limit=MAX_BODY_BYTES + MAX_EVENT_BYTES)[1]
        check_text(body)
        try:
            fields = _fields.decode(body)
        except msgspec.ValidationError as error:
            raise ExpectedObject("The body must be a JSON object.") from error
        except (msgspec.DecodeError, RecursionError) as error:
            raise explain_decode_error(error, body) from error
        if exceeds_depth(body):
            raise TooDeep("Values are nested too deeply.")
        payload = fields.pop("payload", None)
        # The rest is read as strictly as any other body.
        rest: dict[str, Any] = decode_object(msgspec.json.encode(fields))
        return rest if payload is None else {**rest, "payload": payload}


def split_payload(given: Any) -> tuple[bytes | None, str]:
    """Return the payload, if one was sent, and the note.

    Raises:
        ValidationError
    """
    rest = dict(given)
    payload = rest.pop("payload", None)
    serializer = NoteSerializer(data=rest)
    serializer.is_valid(raise_exception=True)
    return None if payload is None else bytes(payload), serializer.validated_data["note"]
