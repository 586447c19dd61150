"""Rules that no schema can say: a request in perfect form may be refused for these reasons, and for no others.

Each is the `code` of a problem, or of an item of its `errors` with the item's pointer (`*` stands for any number in it).
What can be said in the OpenAPI document belongs there instead.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

REASONS: Final = {
    "unknown_engine": "Which engines there are is a matter of the installation.",
    # --- what is there, and how it stands at this moment ---
    "confirmation_missing": "What confirms is the name in the address, once more.",
    "partition_required": "How many partitions there are is the stream's affair.",
    "invalid_parameter ?last_offset": "Which partitions there are is the stream's affair.",
    "invalid_parameter ?Last-Event-ID": "Which partitions there are is the stream's affair.",
    "offset_beyond_head": "Where the log ends changes with every append.",
    "head_moved": "Where the log ends changes with every append.",
    "head_of_several": "How many partitions there are is the stream's affair.",
    "offset_not_in_delivery": "Which events a delivery has is its own affair.",
    "more_than_lost": "How much was lost is the group's affair.",
    "precondition_failed": "A version is what the server says it is, and changes with what it is of.",
    "invalid_copy": "A copy is of the event that is reported.",
    "user_not_found": "Who there is, is no matter of form.",
    "unknown_team": "Which teams there are is no matter of form.",
    "grant_useless": "What somebody's roles allow is no matter of form.",
    "stream_not_found /streams/*": "Which streams there are is no matter of form.",
    "alert_channel_not_found /channels": "Which channels there are is no matter of form.",
    "email_not_configured /kind": "The operator says whether e-mail is sent.",
    "not_possible /url": "A change does not say of which kind the channel is.",
    "not_possible /address": "A change does not say of which kind the channel is.",
    "out_of_range /threshold": "A change does not say what the rule watches.",
    # --- what only the server can make, or only their owner knows ---
    "invalid_parameter ?cursor": "A cursor is signed: only the server can make one.",
    "wrong_password": "Nobody knows the password but whose it is.",
    "weak_password": "Passwords are held to lists of common ones, and to the name of whose they are.",
    "reserved_name": "A few names of the right form are kept for what they could be taken for.",
    # --- time ---
    "in_the_past /expires_at": "Forms have no clock.",
    "invalid_parameter ?from": "Forms have no clock: only so many days are kept.",
    "invalid_parameter ?to": "Forms do not compare two moments.",
    "invalid_parameter ?window": "A window is as long in minutes as in days; forms do not multiply.",
    "out_of_range ?until": "Forms do not compare two moments.",
    "out_of_range /filter/until": "Forms do not compare two moments.",
    "out_of_range /deliver_after": "Forms have no clock.",
    "out_of_range /*/deliver_after": "Forms have no clock.",
    "out_of_range /deliverafter": "Forms have no clock.",
    "out_of_range /*/deliverafter": "Forms have no clock.",
    "expires_first /expires_after": "Forms do not compare two spans.",
    "expires_first /*/expires_after": "Forms do not compare two spans.",
    "expires_first /expiresafter": "Forms do not compare two spans.",
    "expires_first /*/expiresafter": "Forms do not compare two spans.",
    "invalid /deliverafter": "How large a number is that is written as text, patterns do not know.",
    "invalid /*/deliverafter": "How large a number is that is written as text, patterns do not know.",
    "invalid /expiresafter": "How large a number is that is written as text, patterns do not know.",
    "invalid /*/expiresafter": "How large a number is that is written as text, patterns do not know.",
    # --- letters, and addresses of the world outside ---
    "invalid_id /id": "Whether a letter can be seen, Unicode says; patterns do not know it.",
    "invalid_id /*/id": "Whether a letter can be seen, Unicode says; patterns do not know it.",
    "invalid /consumer": "Whether a letter can be seen, Unicode says; patterns do not know it.",
    "reserved /consumer": "A few names of the right form are kept for what they could be taken for.",
    "invalid /name": "Whether a letter can be seen, Unicode says; patterns do not know it.",
    "invalid /address": "An address of the right form may still be none that mail could be sent to.",
    "invalid /url": "An address of the right form may still be none that anything should be sent to.",
    "invalid /addresses": "The mask of a network fits its address.",
    # --- what OpenAPI 3.0 has no words for ---
    "invalid_schema": "What makes an object a JSON Schema of 2020-12.",
    "invalid_unicode": "The names in an object, and the texts deep in a JSON Schema, have no NUL either.",
    "invalid_header /headers": "The names in an object count too, and bytes of UTF-8 are not letters.",
    "invalid_header /*/headers": "The names in an object count too, and bytes of UTF-8 are not letters.",
    "too_long /key": "Bytes of UTF-8 are not letters.",
    "too_long /*/key": "Bytes of UTF-8 are not letters.",
    "invalid /labels": "The names in an object have a length too.",
    "invalid /filter/headers": "The names in an object count too, and bytes of UTF-8 are not letters.",
    "repeated /deliveries/*/delivery_id": "Items differ as wholes, and may still be of the same delivery.",
    "repeated /offsets": "Items differ as wholes, and may still be of the same partition.",
    "out_of_range /time": "Forms have no clock: in UTC it may lie before the year 1.",
    "out_of_range /*/time": "Forms have no clock: in UTC it may lie before the year 1.",
    "stream_mismatch /stream": "The stream is that of the address.",
    "stream_mismatch /*/stream": "The stream is that of the address.",
}
# The same, wherever it is: what an object's fields are called is up to whoever sends it.
ANYWHERE: Final = {
    "invalid_attribute_name": "What a CloudEvent's extensions may be called is no matter of their values.",
    "reserved_attribute": "A few names of the right form are for the log alone.",
    "invalid_text": "Which code points are no characters, Unicode says.",
    "too_long_attribute": "Bytes of UTF-8 are not letters, and names count too.",
    "too_many_attributes": "What a CloudEvent has beside its own attributes is counted together.",
}
# A stream that was made is there; what is within it is not, and was never said to be.
NOT_MADE_WITH_A_STREAM: Final = {
    *("schema_not_found", "event_not_found", "partition_not_found", "consumer_group_not_found"),
    *("grant_not_found", "delivery_not_found"),
}
_NUMBER = re.compile(r"(?<=/)[0-9]+(?=/|$)")


def is_beyond_any_schema(problem: Any) -> bool:
    """Whether all that is wrong, as a problem document says it, is something that no schema could have said."""
    return all(name in REASONS or name in ANYWHERE for name in names_of(problem))


def names_of(problem: Any) -> Iterator[str]:
    """Say what is wrong as `REASONS` has it."""
    if problem["code"] in REASONS or not problem.get("errors"):
        yield problem["code"]
        return
    for item in problem["errors"]:
        code = item["code"]
        yield code if code in REASONS or code in ANYWHERE else f"{code} {_NUMBER.sub('*', item['pointer'])}"
