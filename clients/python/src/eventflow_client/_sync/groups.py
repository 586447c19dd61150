# Made from ../_async by generate.py: change that, not this.
"""Consumer groups: made, changed, moved and looked at."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from ..encoding import encode
from ..models import Committed, DeadLetter, Group, GroupProgress, HeldKeys, OpenDelivery, PartitionProgress, Seek
from ..paths import of_group, of_stream
from ..requests import Request, get, post, post_without_key
from .grants import Grants
from .pages import iterate
from .transport import Transport


class _Progress(msgspec.Struct):
    data: list[PartitionProgress]


class _Committed(msgspec.Struct):
    data: list[Committed]


class Groups:
    """`client.groups`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, stream: str) -> Iterator[Group]:
        """Iterate over a stream's groups."""
        return iterate(self._transport, get(f"{of_stream(stream)}/consumer-groups", limit=250), Group)

    def all(self) -> Iterator[GroupProgress]:
        """Iterate over all groups that the caller may see, with their members."""
        return iterate(self._transport, get("/consumer-groups", limit=250), GroupProgress)

    def get(self, stream: str, group: str) -> Group:
        """Return a group.

        Raises:
            StreamNotFound, ConsumerGroupNotFound
        """
        return msgspec.json.decode((self._transport.send(get(of_group(stream, group)))).body, type=Group)

    def create(
        self,
        stream: str,
        group: str,
        *,
        mode: str = "offset",
        start: str = "earliest",
        ack_wait: int | None = None,
        max_failures: int | None = None,
        max_deliveries: int | None = None,
        backoff: Sequence[int] | None = None,
        ordering: str | None = None,
        max_in_flight: int | None = None,
        filter: Mapping[str, Any] | None = None,
        owner: str | None = None,
    ) -> Group:
        """Make a group, or return the one that is there if it is equal. Durations are seconds.

        Args:
            mode: `offset` or `lease`, for good.
            start: `earliest`, or `latest` for what comes from now on.
            ordering: of a lease-mode group: `none`; `key` for one unfinished event of each key at a time, in order; or
                `partition` for one delivery at a time in each partition.
            filter: only events of these `types`, with all of these `headers`.

        Raises:
            ConsumerGroupExists: with other settings.
            StreamNotFound, InvalidName, ReservedName, InvalidRequest
        """
        given: dict[str, Any] = {
            "ack_wait": ack_wait,
            "max_failures": max_failures,
            "max_deliveries": max_deliveries,
            "backoff": backoff,
            "ordering": ordering,
            "max_in_flight": max_in_flight,
            "filter": filter,
            "owner": owner,
        }
        body = {"name": group, "mode": mode, "start": start}
        body |= {name: value for name, value in given.items() if value is not None}
        answer = self._transport.send(post(f"{of_stream(stream)}/consumer-groups", body))
        return msgspec.json.decode(answer.body, type=Group)

    def change(self, stream: str, group: str, **changes: Any) -> Group:
        """Change a group's settings, by their names in the API: `paused=True`, `ack_wait=60`."""
        request = Request("PATCH", of_group(stream, group), {}, encode(changes))
        return msgspec.json.decode((self._transport.send(request)).body, type=Group)

    def delete(self, stream: str, group: str, *, confirm: str) -> None:
        """Delete a group with its dead letters; `confirm` is its name once more.

        Raises:
            ConsumerGroupNotFound, ConfirmationMissing
        """
        self._transport.send(Request("DELETE", of_group(stream, group), {"confirm": confirm}))

    def offsets(self, stream: str, group: str) -> Sequence[PartitionProgress]:
        """Return how far a group is, partition by partition."""
        answer = self._transport.send(get(f"{of_group(stream, group)}/offsets"))
        return msgspec.json.decode(answer.body, type=_Progress).data

    def commit(self, stream: str, group: str, offsets: Mapping[int, int]) -> Sequence[Committed]:
        """Say, by partition, the last offset that the group has finished. Never moves back.

        Raises:
            OffsetBeyondHead, PartitionNotFound, WrongMode
        """
        places = [{"partition": number, "offset": offset} for number, offset in offsets.items()]
        answer = self._transport.send(post_without_key(f"{of_group(stream, group)}/offsets", {"offsets": places}))
        return msgspec.json.decode(answer.body, type=_Committed).data

    def seek(
        self,
        stream: str,
        group: str,
        to: str | int | datetime,
        *,
        partition: int | None = None,
        dry_run: bool = False,
    ) -> Seek:
        """Move a group's committed offset on purpose.

        Args:
            to: `earliest`, `latest`, the offset that counts as the last finished one, or a time: what was recorded
                then or later comes next.
            dry_run: only say what it would do.
        """
        target: Any = to
        if isinstance(to, datetime):
            target = {"timestamp": to}
        elif isinstance(to, int):
            target = {"offset": to}
        body = {"to": target, "dry_run": dry_run} | ({} if partition is None else {"partition": partition})
        answer = self._transport.send(post(f"{of_group(stream, group)}/seek", body))
        return msgspec.json.decode(answer.body, type=Seek)

    def park(self, stream: str, group: str, *, offset: int, error: str, partition: int = 0) -> DeadLetter:
        """Make a dead letter of an event that a group in offset mode cannot process."""
        body = {"partition": partition, "offset": offset, "error": error}
        answer = self._transport.send(post(f"{of_group(stream, group)}/dead-letters", body))
        return msgspec.json.decode(answer.body, type=DeadLetter)

    def held_keys(self, stream: str, group: str) -> HeldKeys:
        """Return which keys of a group with `ordering: key` hold up events, since when, and by what."""
        answer = self._transport.send(get(f"{of_group(stream, group)}/held-keys"))
        return msgspec.json.decode(answer.body, type=HeldKeys)

    def grants(self, stream: str, group: str) -> Grants:
        """Return who else may `use` or `manage` a group, to look and to change."""
        return Grants(self._transport, of_group(stream, group))

    def deliveries(self, stream: str, group: str, *, state: str | None = None) -> Iterator[OpenDelivery]:
        """Iterate over what is `leased`, `waiting`, `scheduled` for its time, or `exhausted`."""
        request = get(f"{of_group(stream, group)}/deliveries", state=state, limit=250)
        return iterate(self._transport, request, OpenDelivery)
