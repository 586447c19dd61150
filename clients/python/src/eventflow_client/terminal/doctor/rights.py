"""May the credential do what is wanted, and is there what it is wanted for?"""

from collections.abc import Sequence
from typing import Final

import msgspec

from ...access import NOT_INSTALLED
from ...models import Caller, Group, Stream
from .asking import Seen
from .findings import Finding, good, odd, wrong

SCOPES: Final = ("produce", "consume", "manage", "admin")
# A person has them by roles.
_ROLES: Final = {"produce": "producer", "consume": "consumer", "admin": "admin"}


def explain_refusal(seen: Seen) -> Finding:
    """Say why the credential was refused."""
    problem = seen.problem
    assert problem is not None
    if problem.code == "credentials_missing":
        return wrong(
            "credential",
            "It was sent, and did not arrive.",
            "Something on the way takes X-API-Key or Authorization out of requests: let it pass them on.",
        )
    if problem.code == "ambiguous_credentials":
        return wrong(
            "credential",
            "It arrived beside another one.",
            "Something on the way adds an Authorization of its own (basic authentication?): leave /api/ out of that.",
        )
    if problem.status in (401, 403):
        return wrong(
            "credential",
            f"It is refused: {problem.detail}",
            "Make another (`eventflow keys create`, or the dashboard), and `eventflow login` with it.",
        )
    return wrong("credential", f"It could not be looked at: {problem.detail}", "Try again; docs/problems.md says more.")


def read_caller(seen: Seen) -> Caller:
    return msgspec.json.decode(seen.body, type=Caller)


def look_at_scopes(caller: Caller, wanted: Sequence[str]) -> Finding:
    """Say whether the caller may do all that is wanted."""
    key = caller.api_key
    has = caller.user.roles if key is None else key.scopes
    lacks = [scope for scope in wanted if (_ROLES.get(scope) if key is None else scope) not in (*has, None)]
    who = f"{caller.user.email}, " + ("signed in as " if key is None else "a key to ") + (", ".join(has) or "nothing")
    if not lacks:
        return good("credential", f"{who}.")
    them = " and ".join(lacks)
    if key is None:
        return wrong("credential", f"{who}: lacks what {them} needs.", "Ask an admin for the role.")
    return wrong(
        "credential",
        f"{who}: lacks {them}.",
        f"A key keeps its scopes: make another, `eventflow keys create NAME --scope {','.join((*has, *lacks))} …`.",
    )


def look_at_versions(caller: Caller, own: str) -> Finding:
    if caller.server_version is None:
        return good("version", f"This client is {own}; the server does not tell its own.")
    if own == NOT_INSTALLED:
        return good("version", f"The server is {caller.server_version}; this client runs without being installed.")
    if _line_of(own) == _line_of(caller.server_version):
        return good("version", f"The server is {caller.server_version}, this client {own}.")
    return odd(
        "version",
        f"The server is {caller.server_version}, this client {own}.",
        "Upgrade the older of them: pip install --upgrade eventflow-client, or docs/upgrading.md.",
    )


def _line_of(version: str) -> list[str]:
    """Return what must be equal for two versions to go together: before 1.0 the second number counts as well."""
    numbers = version.split(".")
    return numbers[:2] if numbers[0] == "0" else numbers[:1]


def look_at_stream(name: str, caller: Caller, seen: Seen) -> Finding:
    """Say whether the stream is there, and takes events."""
    if problem := seen.problem:
        narrow = caller.api_key.streams if caller.api_key else None
        mend = "Look at its name (`eventflow streams list`), or ask its owner for a grant."
        if narrow is not None and name not in narrow:
            mend = f"The key is for {', '.join(narrow) or 'no stream'} only: make another for this one."
        return wrong("stream", f"{name}: {problem.detail}", mend)
    stream = msgspec.json.decode(seen.body, type=Stream)
    if stream.paused:
        return odd("stream", f"{name} is paused: it takes no events.", f"eventflow streams resume {name}")
    return good("stream", f"{name} is there; its partitions: {stream.partitions:,}.")


def look_at_group(name: str, seen: Seen) -> Finding:
    """Say whether the group is there, is given events, and keeps up."""
    if problem := seen.problem:
        mend = "A group is made before it is used: `eventflow groups create`."
        return wrong("group", f"{name}: {problem.detail}", mend)
    group = msgspec.json.decode(seen.body, type=Group)
    what = f"{group.name} is in {group.mode} mode, {group.lag:,} behind"
    if group.paused:
        return odd("group", f"{what}, and paused.", f"eventflow groups resume {group.stream} {group.name}")
    if group.lost:
        return odd(
            "group",
            f"{what}, and has lost {group.lost:,} events to retention.",
            "It was too slow for what the stream keeps: keep more, or consume faster.",
        )
    return good("group", f"{what}.")
