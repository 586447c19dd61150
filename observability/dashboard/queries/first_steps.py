"""What to do with a stream that has never had an event: lines to paste, and what somebody lacks for them."""

import json
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from accounts.caller import Caller
from accounts.roles import Right
from consumers.access import GroupRight
from consumers.models import ConsumerGroup, Mode
from consumers.queries import list_groups, rights_on
from observability.dashboard.queries.stream_pages import StreamHeading

# What the group of the lines is called, until the stream has one.
GROUP = "readers"
MOST_GROUPS = 20


@dataclass(frozen=True, slots=True)
class FirstSteps:
    """The lines for one stream and one caller; every command has its key from `$EVENTFLOW_KEY`.

    Attributes:
        scopes: what a key for these lines has to allow, and no more.
        group: the group that they read as; `has_group` says whether it is there already.
        lacks_role: appending takes a role that the caller does not have; else they may, or lack a grant.
    """

    append_curl: str
    append_python: str
    group_curl: str
    read_curl: str
    scopes: tuple[str, ...]
    group: str
    has_group: bool
    lacks_role: bool


def first_steps(caller: Caller, stream: StreamHeading, *, api: str) -> FirstSteps:
    """Return the lines for a stream.

    Args:
        api: address of this installation's API, without a slash at its end.
    """
    address = f"{api}/streams/{stream.name}"
    found = _group_to_read_as(caller, stream, list_groups(stream.info).order_by("name")[:MOST_GROUPS])
    group = found or GROUP
    return FirstSteps(
        append_curl=_post(f"{address}/events", '{"type": "hello", "payload": {"from": "curl"}}'),
        append_python=_python(f"{address}/events"),
        group_curl=_post(f"{address}/consumer-groups", json.dumps({"name": group})),
        read_curl=_get(f"{address}/events?consumer_group_id={group}&last_offset=0&wait=20"),
        scopes=tuple(right.value for right in (Right.PRODUCE, Right.CONSUME) if right in stream.rights),
        group=group,
        has_group=found is not None,
        lacks_role=not caller.has_right(Right.PRODUCE),
    )


def _group_to_read_as(caller: Caller, stream: StreamHeading, groups: Iterable[ConsumerGroup]) -> str | None:
    """The first group that a poll of the caller's may read as."""
    for group in groups:
        if group.mode == Mode.OFFSET and GroupRight.USE in rights_on(caller, stream.info, group):
            return group.name
    return None


def _get(address: str) -> str:
    return f'curl -sS {shlex.quote(address)} -H "X-API-Key: $EVENTFLOW_KEY"'


def _post(address: str, body: str) -> str:
    return f"{_get(address)} \\\n  -H 'Content-Type: application/json' -d {shlex.quote(body)}"


def _python(address: str) -> str:
    return f"""\
import json, os, urllib.request

event = {{"type": "hello", "payload": {{"from": "Python"}}}}
headers = {{"X-API-Key": os.environ["EVENTFLOW_KEY"], "Content-Type": "application/json"}}
request = urllib.request.Request({json.dumps(address)}, json.dumps(event).encode(), headers)
print(urllib.request.urlopen(request).read().decode())"""
