"""An exception for each code that the server refuses with. Made from docs/problems.md by generate.py."""

from typing import Final

from .errors import Problem


class AmbiguousCredentials(Problem):
    """More than one credential.

    The request carries both an access token and an API key, or one of them twice.

    Send one of them.
    """

    code = "ambiguous_credentials"


class BadRequest(Problem):
    """Bad request.

    The request is malformed in a way that no endpoint could make sense of, such as control characters in the
    address.

    Look at what the client really sends.
    """

    code = "bad_request"


class BodyTruncated(Problem):
    """Body cut short.

    Fewer bytes came than `Content-Length` promised. Nothing was stored.

    Send it again; if it happens often, look at the proxy in between.
    """

    code = "body_truncated"


class BrokenEncoding(Problem):
    """Body cannot be unpacked.

    The body is not what its `Content-Encoding` says: it is damaged, was cut short, or something follows its end.
    Nothing was stored.

    Pack the whole body once, as one gzip member or one zstd frame with a window of at most 8 MiB.
    """

    code = "broken_encoding"


class EmptyBody(Problem):
    """Empty body.

    The endpoint expects a JSON document, and there is none.

    Send a body; look for a redirect or a client that drops it.
    """

    code = "empty_body"


class ExpectedObject(Problem):
    """Expected a JSON object.

    The body is JSON, but not an object (for appends also: not an array of objects, or an empty one).

    Wrap the value in an object.
    """

    code = "expected_object"


class InvalidIdempotencyKey(Problem):
    """Invalid Idempotency-Key.

    The `Idempotency-Key` header is empty, too long, given twice, or has characters that it may not have.

    Send one key of 1 to 255 printable ASCII characters without spaces, commas and quotes; a UUID will do.
    """

    code = "invalid_idempotency_key"


class InvalidJson(Problem):
    """Not valid JSON.

    The body is not strict JSON.

    Send one JSON document: no comments, no trailing comma, no `NaN`, no byte order mark.
    """

    code = "invalid_json"


class InvalidUnicode(Problem):
    """Not valid Unicode.

    A `\\u` escape is half of a surrogate pair, or a name or a text that goes into a column has `\\u0000`.

    Send whole characters. In an event's payload, key and headers `\\u0000` is allowed.
    """

    code = "invalid_unicode"


class InvalidUtf8(Problem):
    """Not valid UTF-8.

    The body is not UTF-8 text, or has NUL bytes.

    Encode it as UTF-8. UTF-16 is the usual cause of NUL bytes.
    """

    code = "invalid_utf8"


class TooDeep(Problem):
    """Nested too deeply.

    The document is nested more than 64 levels deep.

    Flatten it, or send the deep part as a string.
    """

    code = "too_deep"


class UnknownHost(Problem):
    """Unknown host.

    The header `Host` names a site that this server is not, as when a page elsewhere has made its own name point
    here.

    Use one of the names in `ALLOWED_HOSTS`, or add this one there.
    """

    code = "unknown_host"


class CredentialsMissing(Problem):
    """Credentials missing.

    The endpoint wants to know who asks, and the request does not say.

    Send `Authorization: Bearer <access token>` or `X-API-Key: evf_…`, as a header: a key in the address is never
    read.
    """

    code = "credentials_missing"


class InvalidCredentials(Problem):
    """Invalid credentials.

    The access token, API key or password is wrong, has expired or was revoked.

    Sign in again or refresh the token; replace the key. The answer does not say which of these it was.
    """

    code = "invalid_credentials"


class AddressNotAllowed(Problem):
    """Not from this address.

    The API key is right, but may not be used from the address that the request came from.

    Send the request from one of the key's addresses, or make a key for this one. Behind a proxy: the operator must
    have said that it is trusted, or every request has the proxy's address.
    """

    code = "address_not_allowed"


class HttpsRequired(Problem):
    """HTTPS required.

    The request came over plain HTTP, and this server takes its API over HTTPS only. Nothing was done.

    Send it to the same address with `https://`, and replace the credentials: they came in the clear.
    """

    code = "https_required"


class ScopeMissing(Problem):
    """Right missing.

    The caller is known, but may not do this: by role, by what they are to the stream, or by scope.

    Ask the stream's owner or an admin, or use a key with the scope that `detail` names.
    """

    code = "scope_missing"


class AlertChannelNotFound(Problem):
    """Alert channel not found.

    There is no such alert channel, or it is somebody else's: the two look the same.

    `GET /alert-channels` lists those that you may see: your own, your teams', and all for an admin.
    """

    code = "alert_channel_not_found"


class AlertRuleNotFound(Problem):
    """Alert rule not found.

    There is no such alert rule, or it is somebody else's: the two look the same.

    `GET /alert-rules` lists those that you may see: your own, your teams', and all for an admin.
    """

    code = "alert_rule_not_found"


class ApiKeyNotFound(Problem):
    """API key not found.

    There is no such API key, or it is somebody else's.

    `GET /api-keys` lists the keys that you may see; the id is not the secret.
    """

    code = "api_key_not_found"


class BulkActionNotFound(Problem):
    """Bulk action not found.

    There is no bulk redrive or discard with this id, or somebody else asked for it and you do not manage its
    groups.

    Use the id that the bulk request was answered with, or look for it: `GET /dead-letters/bulk-actions`.
    """

    code = "bulk_action_not_found"


class ConsumerGroupNotFound(Problem):
    """Consumer group not found.

    The stream has no consumer group of that name. Polling does not create one.

    Create it: `POST /streams/{stream}/consumer-groups`.
    """

    code = "consumer_group_not_found"


class DeadLetterNotFound(Problem):
    """Dead letter not found.

    There is no dead letter with this id, or it belongs to a stream that is hidden from the caller.

    List those that you may see: `GET /dead-letters`.
    """

    code = "dead_letter_not_found"


class DeliveryNotFound(Problem):
    """Delivery not found.

    The group has no delivery with this id: its events were acked, became dead letters, or the group was sought
    elsewhere.

    List what is not finished: `GET …/consumer-groups/{group}/deliveries`.
    """

    code = "delivery_not_found"


class EventNotFound(Problem):
    """Event not found.

    Nothing was appended at that offset yet.

    Look at the head offset; offsets start at 1.
    """

    code = "event_not_found"


class GrantNotFound(Problem):
    """Grant not found.

    There is no such grant on this stream or group.

    `GET …/grants` lists those that there are.
    """

    code = "grant_not_found"


class MirrorNotFound(Problem):
    """Mirror not found.

    The stream has no mirror of that id.

    `GET /streams/{stream}/mirrors` lists those that it has.
    """

    code = "mirror_not_found"


class MoveNotFound(Problem):
    """Move not found.

    The stream has no move of that id.

    `GET /streams/{stream}/moves` lists those that it has had.
    """

    code = "move_not_found"


class NotFound(Problem):
    """Not found.

    There is nothing at this address, or you may not see it.

    Check the address: base `/api/v1`, no trailing slash. `/api/v1/docs` lists what there is.
    """

    code = "not_found"


class PartitionNotFound(Problem):
    """Partition not found.

    The stream has no partition of that number.

    They are numbered from 0; `GET /streams/{stream}` says how many there are.
    """

    code = "partition_not_found"


class SchemaNotFound(Problem):
    """Schema not found.

    The stream has no such version of a schema for this type of events.

    `GET /streams/{stream}/schemas` lists those that it has.
    """

    code = "schema_not_found"


class SessionNotFound(Problem):
    """Session not found.

    There is no such session, it has ended, or it is somebody else's.

    `GET /auth/sessions` lists your own.
    """

    code = "session_not_found"


class SimulationNotFound(Problem):
    """Simulation not found.

    There is no such simulation, or somebody else started it.

    Look at the list of simulations.
    """

    code = "simulation_not_found"


class StreamNotFound(Problem):
    """Stream not found.

    There is no such stream, or the caller may not see it: the two look the same.

    Check the name; ask the stream's owner or an admin for access.
    """

    code = "stream_not_found"


class TeamNotFound(Problem):
    """Team not found.

    There is no such team, or the caller is not a member of it: the two look the same.

    Check the name; `GET /teams` lists those that you may see. Admins make teams.
    """

    code = "team_not_found"


class MethodNotAllowed(Problem):
    """Method not allowed.

    The address exists, but not with this method.

    `/api/v1/docs` lists the methods of each address.
    """

    code = "method_not_allowed"


class NotAcceptable(Problem):
    """Not acceptable.

    `Accept` asks for CloudEvents in a form that this endpoint does not answer in.

    Several events are `application/cloudevents-batch+json`, one is `application/cloudevents+json`; without either
    the answer is `application/json`.
    """

    code = "not_acceptable"


class BodyTooSlow(Problem):
    """Body too slow.

    The body did not come, or came more slowly than is waited for. Nothing was stored.

    Send it in one go. A body may pause for 10 seconds and take a minute in all; the connection is closed.
    """

    code = "body_too_slow"


class AlertChannelInUse(Problem):
    """Rules use the alert channel.

    Rules send to the alert channel, and would tell nobody any more.

    Take it out of these rules first, or delete them; `detail` says how many they are.
    """

    code = "alert_channel_in_use"


class AlertTestUnderWay(Problem):
    """A test is under way.

    A test of this alert channel was asked for a moment ago.

    Wait for its outcome, which the channel shows as `last_notification`, and at least ten seconds.
    """

    code = "alert_test_under_way"


class ApiKeyRevoked(Problem):
    """API key is revoked.

    A key that was revoked or has expired cannot be rotated, nor one whose scopes its user's roles no longer allow.

    Create a new one.
    """

    code = "api_key_revoked"


class BulkActionFinished(Problem):
    """Bulk action is finished.

    The bulk redrive or discard had come to its end before it could be cancelled. Nothing was changed.

    Look at what it did: `GET /dead-letters/bulk-actions/{id}`.
    """

    code = "bulk_action_finished"


class ConsumerGroupExists(Problem):
    """A consumer group of that name exists with other settings.

    A group of that name exists with other settings.

    Change it with PATCH, or choose another name. An equal one would have been answered with 200.
    """

    code = "consumer_group_exists"


class DeliveryNotLeased(Problem):
    """Delivery is not leased.

    Nobody holds a lease on the delivery, or another one than was meant: it ended, and was perhaps leased again.
    Nothing was changed.

    Look at where it stands: `GET …/consumer-groups/{group}/deliveries`.
    """

    code = "delivery_not_leased"


class DeliveryNotWaiting(Problem):
    """Delivery is not waiting.

    Only what waits for its next attempt can be tried again now: a consumer has leased it meanwhile, or no attempt
    is left. Nothing was changed.

    Look at where it stands: `GET …/consumer-groups/{group}/deliveries`.
    """

    code = "delivery_not_waiting"


class EngineRefuses(Problem):
    """Engine refuses.

    The engine would not keep the stream's events as it has to, or may not make a place for them. Nothing was made.

    `detail` says what it found and what it wants. Let whoever runs the engine change it there; where events may be
    lost with one broker, `allow_weak` takes that into the bargain.
    """

    code = "engine_refuses"


class EventErased(Problem):
    """Event was erased.

    The event's payload was erased, and no other may be put in its place. Nothing was changed.

    Redrive it without a `payload`, and its consumer gets it as it is now; or resolve or discard the dead letter.
    """

    code = "event_erased"


class GroupPaused(Problem):
    """Consumer group is paused.

    The group is paused: polls with it are refused until somebody who manages it lets it go on. Commits are taken.

    Ask again later, or resume it (`PATCH …/consumer-groups/{group}` with `paused: false`).
    """

    code = "group_paused"


class IdempotencyInProgress(Problem):
    """A request with this Idempotency-Key is still under way.

    The first request with this `Idempotency-Key` has not ended yet: its outcome is unknown.

    Retry in a moment with the same key; the answer of the first one is then repeated.
    """

    code = "idempotency_in_progress"


class Incompatible(Problem):
    """Incompatible schema.

    The new version of a schema breaks what its `compatibility` promises. Nothing was changed.

    `errors` names the changes that do, by pointers into the schemas. Change the schema so that it keeps the
    promise; or send it with `compatibility: none`, once everybody who relies on the version before is ready for it.
    """

    code = "incompatible"


class LeaseLost(Problem):
    """Lease lost.

    None of the leases that the request names is the caller's (any more): each expired and was taken back, was ended
    before, or the group was sought elsewhere. Somebody else may have these events now, and nothing was changed.

    Drop what was done with them, or rely on its being idempotent, and lease again.
    """

    code = "lease_lost"


class MirrorExists(Problem):
    """Topic has a mirror.

    Something is copied into the topic already, or its mirror was deleted a moment ago and ends now.

    Nothing was made. Name another topic. If you have just deleted a mirror into it, try again in half a minute.
    """

    code = "mirror_exists"


class MirrorUseless(Problem):
    """Stream is in that kind of engine already.

    The stream's events are in an engine of their own already, so there is nothing to mirror into another topic.

    `detail` names the engine and the topic. Read that topic, or ask whoever runs the cluster to replicate it.
    """

    code = "mirror_useless"


class MoveRefused(Problem):
    """Move refused.

    The stream cannot be moved to that engine as it is now. Nothing was changed.

    `detail` says all that stands in the way, and how to mend it. Ask with `dry_run` until nothing does.
    """

    code = "move_refused"


class MoveUnderWay(Problem):
    """Move under way.

    The stream is being moved to another engine, and this has to wait until that has ended. Nothing was changed.

    `GET /streams/{stream}/moves` says how far it has come. Retry when it is over; whoever runs the installation can
    also end it with `manage.py move_stream NAME --abort`.
    """

    code = "move_under_way"


class NoMoveUnderWay(Problem):
    """No move under way.

    No move of the stream is under way that could go on or be ended.

    `GET /streams/{stream}/moves` lists those that have ended.
    """

    code = "no_move_under_way"


class NotOpen(Problem):
    """Dead letter is not open.

    The dead letter was redriven, resolved or discarded before. Nothing was changed: a second click is harmless.

    Look at it to see what became of it: `GET /dead-letters/{id}`.
    """

    code = "not_open"


class NothingToInferFrom(Problem):
    """No events to infer a schema from.

    The stream keeps no event of this type among those that were looked at, so there is nothing to infer from.

    Append some, look at more of the stream (`last`), or write the schema by hand.
    """

    code = "nothing_to_infer_from"


class StreamExists(Problem):
    """A stream of that name exists.

    A stream of that name exists already, perhaps one that you may not see.

    Choose another name, or use the stream that is there.
    """

    code = "stream_exists"


class StreamPaused(Problem):
    """Stream is paused.

    The stream accepts no appends for now. Nothing was stored.

    Send the events again once its owner or an admin has resumed it (`PATCH /streams/{stream}` with `paused:
    false`).
    """

    code = "stream_paused"


class StreamReadOnly(Problem):
    """Stream is read-only.

    The stream shows a topic that was adopted to be read, and takes no events. Nothing was stored.

    Append to the topic with a client of the engine, or adopt it as a stream of another name without `read_only`.
    """

    code = "stream_read_only"


class StreamRecreated(Problem):
    """Stream was deleted and made anew.

    The events of this request were stored before, in a stream that was deleted since; another has its name now.

    This time nothing was stored. To store them in the stream of today, send them with a new `Idempotency-Key`.
    """

    code = "stream_recreated"


class TeamExists(Problem):
    """A team of that name exists.

    A team of that name exists already.

    Choose another name, or use the team that is there.
    """

    code = "team_exists"


class TeamOwns(Problem):
    """The team owns something.

    The team owns streams or consumer groups, which would belong to nobody.

    Give them to somebody else first (`PATCH` with `owner`), or delete them.
    """

    code = "team_owns"


class TooManyGrants(Problem):
    """Too many grants.

    A stream or a group has at most 100 grants.

    Make a team of those who need the same rights, and grant them to the team.
    """

    code = "too_many_grants"


class TooManyMembers(Problem):
    """Too many members.

    A team has at most 1,000 members.

    Make a second team.
    """

    code = "too_many_members"


class TooManyMirrors(Problem):
    """Too many mirrors.

    The stream has as many mirrors as one may have.

    Let several readers read one topic, or delete a mirror that nobody needs.
    """

    code = "too_many_mirrors"


class TooManySchemas(Problem):
    """Too many schemas.

    The stream has as many schemas as one may have, all versions of all types counted.

    Use one more version only where the schema really changes, or another stream for other types.
    """

    code = "too_many_schemas"


class WrongMode(Problem):
    """Not possible in this group's mode.

    The group is in the other mode: offsets are committed in offset mode, deliveries are leased in lease mode.

    Use the verbs of its mode; a group's mode is fixed when it is created.
    """

    code = "wrong_mode"


class DeadLetterWithoutEvent(Problem):
    """Dead letter has no copy of its event.

    Retention took the event while it was still being tried, so there is nothing to send again.

    Resolve or discard the dead letter; keep events for longer than they are retried.
    """

    code = "dead_letter_without_event"


class EventExpired(Problem):
    """Event taken by retention.

    Retention took the event.

    Nothing brings it back. Keep a stream's events for longer (`retention`), or let its consumers run more often.
    """

    code = "event_expired"


class LengthRequired(Problem):
    """Content-Length required.

    The body came in chunks, without `Content-Length`, and is not one JSON document: if it were cut short on its
    way, nobody could tell. Nothing was stored.

    Send `Content-Length`, the events as one JSON array, or the lines packed with gzip or zstd.
    """

    code = "length_required"


class HeadMoved(Problem):
    """Head moved.

    The partition's head is not the one that `If-Head` names: others have appended, or it was never there. Nothing
    was stored.

    `head` is where it is. Read the events up to there, decide anew whether yours are still right, and send them
    with `If-Head` of that.
    """

    code = "head_moved"


class PreconditionFailed(Problem):
    """Changed meanwhile.

    What was to be changed or deleted is not as the caller has seen it: its `ETag` is none of those in `If-Match`.
    Nothing was done.

    `detail` says who changed what last. Get it again, look at what is there now, and send the change with its new
    `ETag`; a `PATCH` that names only what it changes leaves the rest as it is.
    """

    code = "precondition_failed"


class PayloadTooLarge(Problem):
    """Too large.

    The request, one of its events, or the number of its events is over a limit. Nothing was stored.

    Send smaller batches; keep large documents elsewhere and append a reference. The limits are in `docs/api.md`.
    """

    code = "payload_too_large"


class UriTooLong(Problem):
    """Address too long.

    The path has more than 2,000 characters or the query more than 8,000.

    Send long values in a body.
    """

    code = "uri_too_long"


class UnsupportedCharset(Problem):
    """Unsupported charset.

    The `Content-Type` names a charset that is not UTF-8.

    Send UTF-8, and leave the charset out.
    """

    code = "unsupported_charset"


class UnsupportedEncoding(Problem):
    """Unsupported content encoding.

    The body has a `Content-Encoding` other than `gzip` and `zstd`, or more than one.

    Send it as it is, or packed once in one of these ways.
    """

    code = "unsupported_encoding"


class UnsupportedMediaType(Problem):
    """Unsupported media type.

    The `Content-Type` is none that this endpoint reads.

    Send `application/json`; for appends `application/x-ndjson` is read as well, and CloudEvents
    (`docs/cloudevents.md`).
    """

    code = "unsupported_media_type"


class ConfirmationMissing(Problem):
    """Confirmation missing.

    Deleting a stream, a consumer group, or events by a lower retention cannot be undone, nor can partitions be
    taken from a stream again: the request has to name the stream or group twice.

    `detail` says what happens. Add `?confirm=` with the name of what is deleted, or of the stream that is changed.
    """

    code = "confirmation_missing"


class GrantUseless(Problem):
    """The grant would allow nothing.

    What is to be granted could not be used: the user's roles do not allow it, or the stream is hidden from them.

    Give them the role first (an admin can), or for a group's grant the right to consume its stream.
    """

    code = "grant_useless"


class HeadOfSeveral(Problem):
    """Several partitions have a head.

    `If-Head` names the head of one partition, and the events of the request do not all surely go to one.

    Send events of one stream whose keys lead to the same partition, or, without keys, to a stream of one partition.
    """

    code = "head_of_several"


class IdempotencyKeyReused(Problem):
    """Idempotency-Key used before with another request.

    This `Idempotency-Key` was used before, by the same caller, with another request. Nothing was done.

    Make a new key for each new request; a retry repeats address and body byte for byte.
    """

    code = "idempotency_key_reused"


class InvalidCopy(Problem):
    """Not a copy of this event.

    The copy that came with a reported dead letter is not the event that is reported. Nothing was kept.

    Send `event` as the poll gave it, with its `partition`, `offset` and `recorded_at`, or leave it out.
    """

    code = "invalid_copy"


class InvalidEvents(Problem):
    """Invalid events.

    The whole request is refused and nothing is stored; `errors` names each bad item.

    Correct the items that `errors` points to (`/3/key` is the field `key` of the fourth event), and send the whole
    request again.
    """

    code = "invalid_events"


class InvalidName(Problem):
    """Invalid name.

    The name of a stream or group has a form that it may not have.

    Use 1 to 128 of `a-z 0-9 . _ -`, beginning with a letter or digit.
    """

    code = "invalid_name"


class InvalidParameter(Problem):
    """Invalid parameter.

    A query parameter that does not have the form it must have.

    Correct the parameter that `errors` names; `detail` says which form it must have.
    """

    code = "invalid_parameter"


class InvalidPayloads(Problem):
    """Payloads do not fit their schema.

    The payloads are not as the schemas of their types say; nothing is stored. `errors` names what, and where.

    `errors[].pointer` leads into the payload (`/3/payload/total`), `schema_version` says which version of the
    schema it was held to; `GET /streams/{stream}/schemas/{type}/latest` shows it. Correct the payloads and send the
    whole request again.
    """

    code = "invalid_payloads"


class InvalidRequest(Problem):
    """Invalid request.

    The body is a JSON object, but some of its fields cannot be accepted. Nothing was changed.

    `errors` names each field by a JSON pointer, with a code and words of its own.
    """

    code = "invalid_request"


class InvalidSchema(Problem):
    """Invalid schema.

    The schema cannot be used. `errors` names what is wrong, by pointers into the schema.

    Schemas are JSON Schema 2020-12 with references within themselves only (`#/$defs/…`), patterns without look-
    around and back references, and bounds on their size and on what they may look at for one value.
    """

    code = "invalid_schema"


class InvalidTemplate(Problem):
    """Not a usable template.

    The template of a simulation does not make events: a placeholder is malformed, or the result is not JSON.

    Correct what `detail` names; the page of simulations lists the placeholders.
    """

    code = "invalid_template"


class InvalidTopic(Problem):
    """Invalid topic.

    A topic cannot have this name, or it is kept for streams that lie in the engine.

    Use 1 to 249 of `A-Z a-z 0-9 . _ -`, not beginning with `__`, and not ending with two numbers as the topics of
    streams do.
    """

    code = "invalid_topic"


class MoreThanLost(Problem):
    """More than the group has lost.

    More is acknowledged than the group has ever lost: nobody can have seen that. Nothing was acknowledged.

    Send the `lost_total` that the group or its stream's stats show.
    """

    code = "more_than_lost"


class NotOffered(Problem):
    """Not offered by the engine.

    The engine that has the stream's events cannot do this. Nothing was stored or changed.

    `detail` says what, and `GET /streams/{stream}` what the engine can: `capabilities`. Leave it out of the
    request, or use a stream in another engine.
    """

    code = "not_offered"


class OffsetBeyondHead(Problem):
    """Offset beyond the head.

    The offset to commit is higher than the head offset: no such event exists yet. Nothing was committed.

    Commit the offset of the last event that you have finished.
    """

    code = "offset_beyond_head"


class OffsetNotInDelivery(Problem):
    """Offset outside of the delivery.

    An ack names a failed offset that its delivery does not have. Nothing of the request was done.

    Name offsets from `first_offset` to `last_offset` of the delivery.
    """

    code = "offset_not_in_delivery"


class PartitionRequired(Problem):
    """Partition required.

    One offset was given, and the stream has several partitions.

    Say which with `partition`, or give offsets as `EventFlow-Next-Offset` does: `0=18,1=7`. Commit with `offsets`.
    """

    code = "partition_required"


class PartitionsOnlyAdded(Problem):
    """Partitions can only be added.

    A stream was to have fewer partitions than it has. Nothing was changed.

    Partitions can only be added: the events of one that went would be gone, and its offsets with them. Make a new
    stream with fewer, and let its producers and consumers move.
    """

    code = "partitions_only_added"


class ReservedName(Problem):
    """Reserved name.

    The name could be taken for something else, in an address or by a script.

    Choose another name.
    """

    code = "reserved_name"


class UnknownEngine(Problem):
    """No such engine.

    A stream was to be made in an engine that the installation has not.

    `detail` lists those that it has. Leave `engine` out for the one that the installation runs on.
    """

    code = "unknown_engine"


class UnknownField(Problem):
    """Unknown field.

    A field or parameter that the endpoint does not have, named so that a typo is found.

    Correct the name that `errors` points to, or leave it out: nothing is ignored in silence.
    """

    code = "unknown_field"


class UnknownTeam(Problem):
    """Unknown team.

    A team that the request names, as an owner or to be granted something, is not there for the caller.

    Check the name. Whoever is no admin can make their own teams owners, and grant to any.
    """

    code = "unknown_team"


class UserNotFound(Problem):
    """User not found.

    The e-mail address belongs to no active user.

    Check the address; the user may have been disabled.
    """

    code = "user_not_found"


class WeakPassword(Problem):
    """Weak password.

    The new password is too short, too common or too much like the name or the address.

    Choose another one; `detail` says what is wrong with it.
    """

    code = "weak_password"


class WrongPassword(Problem):
    """Wrong password.

    The current password, which a change of it asks for, is another one.

    Try again; tries are limited as they are when signing in.
    """

    code = "wrong_password"


class LoginThrottled(Problem):
    """Too many failed sign-ins.

    Too many sign-ins failed from this address, for this account or for several.

    Wait as long as `Retry-After` says. A right password is refused as well until then, but only from this address
    (of IPv6: from its /64). What is tried meanwhile does not count.
    """

    code = "login_throttled"


class RateLimited(Problem):
    """Too much at once.

    The key, or its owner with all keys together, asks for more than this installation lets one caller have. Nothing
    was done.

    `bucket` names of what: `requests`, `events` or `bytes` in the long run; `waiting` requests, `reads` and
    `downloads` at a time. Wait as long as `Retry-After` says, then go on more slowly: a batch is one request, and a
    lease or a poll can take many events. The operator sets the rates (`EVENTFLOW_LIMIT_…`).
    """

    code = "rate_limited"


class TooManySlowBodies(Problem):
    """Too many bodies under way.

    Too many requests were begun, by you or by all, whose bodies have not come. Nothing was stored.

    Finish or end those requests, then retry.
    """

    code = "too_many_slow_bodies"


class TooManyWaiting(Problem):
    """Too many waiting requests.

    As many requests wait in this server process as it has room for.

    Retry in a moment, or poll without `wait`. More web workers make more room.
    """

    code = "too_many_waiting"


class InternalError(Problem):
    """Internal error.

    Something broke on our side. Whether a change took place is unknown.

    Retry with the same `Idempotency-Key`. If it stays, give `request_id` to whoever runs the server: it finds the
    cause in the logs.
    """

    code = "internal_error"


class DatabaseUnavailable(Problem):
    """Database unavailable.

    PostgreSQL cannot be reached or is too busy. With the header `EventFlow-Stored: no` nothing was stored; without
    it the outcome is unknown.

    Retry after `Retry-After`, with the same `Idempotency-Key`.
    """

    code = "database_unavailable"


class EngineUnavailable(Problem):
    """Engine unavailable.

    The engine that has the stream's events cannot be reached for now. Nothing was stored or changed.

    Send the request again after `Retry-After`. Streams in other engines go on; `/readyz` names the one that is
    away.
    """

    code = "engine_unavailable"


class NotStored(Problem):
    """Not stored.

    Certainly nothing was stored: it failed before its commit was sent.

    Send it again after `Retry-After`. The answer carries `EventFlow-Stored: no`.
    """

    code = "not_stored"


class OutcomeUnknown(Problem):
    """Outcome unknown.

    The commit was under way when the connection or the time ran out: stored or not, nobody knows.

    Send it again with the same `Idempotency-Key`. Without one, look whether the events are there before you do.
    """

    code = "outcome_unknown"


class StreamQuarantined(Problem):
    """Stream in quarantine.

    What lies in the engine is not what the stream had there: its topic was lost, cut short or made anew.

    Nothing is read of it and nothing appended, so that no offset that was told is given out again. `detail` says
    what was found. Whoever runs the installation looks at the topic, and then types `manage.py release_stream` with
    the stream's name: it says what is lost, and goes on where that is accepted.
    """

    code = "stream_quarantined"


class QuotaExceeded(Problem):
    """Quota exceeded.

    Whoever owns it would have more streams, partitions, groups, keys or stored bytes than this installation allows.

    `quota` names which. Delete what is not needed, shorten the retention, or ask the operator for more
    (`EVENTFLOW_QUOTA_…`).
    """

    code = "quota_exceeded"


BY_CODE: Final[dict[str, type[Problem]]] = {
    "ambiguous_credentials": AmbiguousCredentials,
    "bad_request": BadRequest,
    "body_truncated": BodyTruncated,
    "broken_encoding": BrokenEncoding,
    "empty_body": EmptyBody,
    "expected_object": ExpectedObject,
    "invalid_idempotency_key": InvalidIdempotencyKey,
    "invalid_json": InvalidJson,
    "invalid_unicode": InvalidUnicode,
    "invalid_utf8": InvalidUtf8,
    "too_deep": TooDeep,
    "unknown_host": UnknownHost,
    "credentials_missing": CredentialsMissing,
    "invalid_credentials": InvalidCredentials,
    "address_not_allowed": AddressNotAllowed,
    "https_required": HttpsRequired,
    "scope_missing": ScopeMissing,
    "alert_channel_not_found": AlertChannelNotFound,
    "alert_rule_not_found": AlertRuleNotFound,
    "api_key_not_found": ApiKeyNotFound,
    "bulk_action_not_found": BulkActionNotFound,
    "consumer_group_not_found": ConsumerGroupNotFound,
    "dead_letter_not_found": DeadLetterNotFound,
    "delivery_not_found": DeliveryNotFound,
    "event_not_found": EventNotFound,
    "grant_not_found": GrantNotFound,
    "mirror_not_found": MirrorNotFound,
    "move_not_found": MoveNotFound,
    "not_found": NotFound,
    "partition_not_found": PartitionNotFound,
    "schema_not_found": SchemaNotFound,
    "session_not_found": SessionNotFound,
    "simulation_not_found": SimulationNotFound,
    "stream_not_found": StreamNotFound,
    "team_not_found": TeamNotFound,
    "method_not_allowed": MethodNotAllowed,
    "not_acceptable": NotAcceptable,
    "body_too_slow": BodyTooSlow,
    "alert_channel_in_use": AlertChannelInUse,
    "alert_test_under_way": AlertTestUnderWay,
    "api_key_revoked": ApiKeyRevoked,
    "bulk_action_finished": BulkActionFinished,
    "consumer_group_exists": ConsumerGroupExists,
    "delivery_not_leased": DeliveryNotLeased,
    "delivery_not_waiting": DeliveryNotWaiting,
    "engine_refuses": EngineRefuses,
    "event_erased": EventErased,
    "group_paused": GroupPaused,
    "idempotency_in_progress": IdempotencyInProgress,
    "incompatible": Incompatible,
    "lease_lost": LeaseLost,
    "mirror_exists": MirrorExists,
    "mirror_useless": MirrorUseless,
    "move_refused": MoveRefused,
    "move_under_way": MoveUnderWay,
    "no_move_under_way": NoMoveUnderWay,
    "not_open": NotOpen,
    "nothing_to_infer_from": NothingToInferFrom,
    "stream_exists": StreamExists,
    "stream_paused": StreamPaused,
    "stream_read_only": StreamReadOnly,
    "stream_recreated": StreamRecreated,
    "team_exists": TeamExists,
    "team_owns": TeamOwns,
    "too_many_grants": TooManyGrants,
    "too_many_members": TooManyMembers,
    "too_many_mirrors": TooManyMirrors,
    "too_many_schemas": TooManySchemas,
    "wrong_mode": WrongMode,
    "dead_letter_without_event": DeadLetterWithoutEvent,
    "event_expired": EventExpired,
    "length_required": LengthRequired,
    "head_moved": HeadMoved,
    "precondition_failed": PreconditionFailed,
    "payload_too_large": PayloadTooLarge,
    "uri_too_long": UriTooLong,
    "unsupported_charset": UnsupportedCharset,
    "unsupported_encoding": UnsupportedEncoding,
    "unsupported_media_type": UnsupportedMediaType,
    "confirmation_missing": ConfirmationMissing,
    "grant_useless": GrantUseless,
    "head_of_several": HeadOfSeveral,
    "idempotency_key_reused": IdempotencyKeyReused,
    "invalid_copy": InvalidCopy,
    "invalid_events": InvalidEvents,
    "invalid_name": InvalidName,
    "invalid_parameter": InvalidParameter,
    "invalid_payloads": InvalidPayloads,
    "invalid_request": InvalidRequest,
    "invalid_schema": InvalidSchema,
    "invalid_template": InvalidTemplate,
    "invalid_topic": InvalidTopic,
    "more_than_lost": MoreThanLost,
    "not_offered": NotOffered,
    "offset_beyond_head": OffsetBeyondHead,
    "offset_not_in_delivery": OffsetNotInDelivery,
    "partition_required": PartitionRequired,
    "partitions_only_added": PartitionsOnlyAdded,
    "reserved_name": ReservedName,
    "unknown_engine": UnknownEngine,
    "unknown_field": UnknownField,
    "unknown_team": UnknownTeam,
    "user_not_found": UserNotFound,
    "weak_password": WeakPassword,
    "wrong_password": WrongPassword,
    "login_throttled": LoginThrottled,
    "rate_limited": RateLimited,
    "too_many_slow_bodies": TooManySlowBodies,
    "too_many_waiting": TooManyWaiting,
    "internal_error": InternalError,
    "database_unavailable": DatabaseUnavailable,
    "engine_unavailable": EngineUnavailable,
    "not_stored": NotStored,
    "outcome_unknown": OutcomeUnknown,
    "stream_quarantined": StreamQuarantined,
    "quota_exceeded": QuotaExceeded,
}
