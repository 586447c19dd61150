"""The consumers of an application: functions that said what they consume."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from django.core.exceptions import ImproperlyConfigured
from eventflow_client import ConsumerSettings

Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class RegisteredConsumer:
    """A handler with the group that it works for.

    Attributes:
        once: its changes to the database and the mark that it has made them are one transaction.
        group_settings: with which the group is made if it is not there.
    """

    group: str
    stream: str
    handler: Callable[..., Any]
    is_batched: bool
    once: bool
    settings: ConsumerSettings
    group_settings: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return f"{self.stream}/{self.group}"


_registered: dict[str, RegisteredConsumer] = {}


def consumer(
    group: str,
    *,
    stream: str,
    once: bool = False,
    batches: bool = False,
    mode: Literal["lease", "offset"] = "lease",
    settings: ConsumerSettings | None = None,
    **group_settings: Any,
) -> Callable[[Handler], Handler]:
    """Let a function consume as a group; `manage.py consume` runs it. The function stays as it is.

    Args:
        once: call it within a transaction that also marks the event as handled, so that its changes to the database
            are made exactly once, however often the event comes.
        batches: give it events of one partition together, in their order; not with `once`.
        settings: how it consumes (`concurrency`, `max_events` …).
        mode, group_settings: of the group if it has to be made: `ack_wait=60`, `max_failures=3` …

    Raises:
        ImproperlyConfigured: another function consumes as this group, or the arguments contradict each other.
    """
    if once and batches:
        raise ImproperlyConfigured(f"{stream}/{group}: `once` is for single events; use process_once() in batches.")

    def register(handler: Handler) -> Handler:
        found = RegisteredConsumer(
            group, stream, handler, batches, once, settings or ConsumerSettings(), {"mode": mode, **group_settings}
        )
        before = _registered.get(found.name)
        # A module that is imported under two names, or again by a reload, brings the same function.
        if before is not None and _place(before.handler) != _place(handler):
            raise ImproperlyConfigured(
                f"{_place(before.handler)} and {_place(handler)} both consume as {found.name}: a group has one handler."
            )
        _registered[found.name] = found
        return handler

    return register


def registered_consumers() -> list[RegisteredConsumer]:
    """Return all, in the order in which they were met."""
    return list(_registered.values())


def _place(handler: Callable[..., Any]) -> str:
    return f"{handler.__module__}.{handler.__qualname__}"
