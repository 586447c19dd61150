# Made from ../_async by generate.py: change that, not this.
"""Dead letters: found, sent again, and dealt with."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal

import msgspec

from ..models import BulkAction, BulkPreview, DeadLetter
from ..requests import get, post
from .pages import iterate
from .transport import Transport

_UNCHANGED = msgspec.UNSET


class DeadLetters:
    """`client.dead_letters`.

    A filter names `stream`, `group`, `status`, `reason`, `since`, `until`, `type`, `fingerprint` or `text`.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, **wanted: str | datetime) -> Iterator[DeadLetter]:
        """Iterate over the dead letters that a filter finds, the newest first."""
        return iterate(self._transport, get("/dead-letters", limit=250, **wanted), DeadLetter)

    def get(self, dead_letter: int) -> DeadLetter:
        """Return one with its event, attempts and redrives.

        Raises:
            DeadLetterNotFound
        """
        return msgspec.json.decode(
            (self._transport.send(get(f"/dead-letters/{dead_letter}"))).body, type=DeadLetter
        )

    def redrive(self, dead_letter: int, *, payload: Any = _UNCHANGED, note: str = "") -> DeadLetter:
        """Send one to its group again, with another payload if one is given.

        Raises:
            DeadLetterNotFound
            NotOpen: somebody has dealt with it.
        """
        body: dict[str, Any] = {"note": note} | ({} if payload is _UNCHANGED else {"payload": payload})
        return self._deal(dead_letter, "redrive", body)

    def resolve(self, dead_letter: int, *, note: str = "") -> DeadLetter:
        """Say that one was dealt with elsewhere."""
        return self._deal(dead_letter, "resolve", {"note": note})

    def discard(self, dead_letter: int, *, note: str = "") -> DeadLetter:
        """Give up on one for good."""
        return self._deal(dead_letter, "discard", {"note": note})

    def count(self, verb: Literal["redrive", "discard"], **wanted: str | datetime) -> BulkPreview:
        """Return how many `redrive_all` or `discard_all` would act on: open ones of groups that the caller manages."""
        answer = self._transport.send(post(f"/dead-letters/{verb}", {"filter": wanted, "dry_run": True}))
        return msgspec.json.decode(answer.body, type=BulkPreview)

    def redrive_all(
        self, *, per_second: int | None = None, note: str = "", **wanted: str | datetime
    ) -> BulkAction:
        """Send all that a filter finds to their groups again; more than 200 in the background."""
        return self._act("redrive", per_second, note, wanted)

    def discard_all(
        self, *, per_second: int | None = None, note: str = "", **wanted: str | datetime
    ) -> BulkAction:
        """Give up on all that a filter finds; more than 200 in the background."""
        return self._act("discard", per_second, note, wanted)

    def bulk_action(self, action: int) -> BulkAction:
        """Return how far a bulk action has come."""
        answer = self._transport.send(get(f"/dead-letters/bulk-actions/{action}"))
        return msgspec.json.decode(answer.body, type=BulkAction)

    def cancel(self, action: int) -> BulkAction:
        """End a bulk action where it stands.

        Raises:
            BulkActionFinished
        """
        answer = self._transport.send(post(f"/dead-letters/bulk-actions/{action}/cancel"))
        return msgspec.json.decode(answer.body, type=BulkAction)

    def _deal(self, dead_letter: int, verb: str, body: dict[str, Any]) -> DeadLetter:
        answer = self._transport.send(post(f"/dead-letters/{dead_letter}/{verb}", body))
        return msgspec.json.decode(answer.body, type=DeadLetter)

    def _act(self, verb: str, per_second: int | None, note: str, wanted: dict[str, Any]) -> BulkAction:
        body = {"filter": wanted, "note": note} | ({} if per_second is None else {"per_second": per_second})
        answer = self._transport.send(post(f"/dead-letters/{verb}", body))
        return msgspec.json.decode(answer.body, type=BulkAction)
