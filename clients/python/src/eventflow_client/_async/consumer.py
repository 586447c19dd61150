"""A consumer of one group, in the mode that the group has."""

from collections.abc import Sequence

import msgspec

from ..async_kit import Handler, on_signals
from ..consuming import ConsumerSettings
from ..models import Event, Group
from ..paths import of_group, of_stream
from ..requests import get
from .lease_mode import AsyncLeaseMode
from .offset_mode import AsyncOffsetMode
from .transport import AsyncTransport


class AsyncConsumer:
    """Gives events to a handler, at least once each, until it is told to stop. Use it once.

    What the handler raises is its event's error: in lease mode the event comes again by the group's backoff and becomes
    a dead letter in the end; in offset mode `on_failure` says. `TryLater`, `GiveUp` and `SomeFailed` say more.
    """

    def __init__(
        self,
        transport: AsyncTransport,
        stream: str,
        group: str,
        settings: ConsumerSettings,
        *,
        each: Handler[Event] | None = None,
        batch: Handler[Sequence[Event]] | None = None,
    ) -> None:
        if (each is None) == (batch is None):
            raise ValueError("Give one handler: of single events, or of batches.")
        self._transport = transport
        self._group = group
        self._stream_path = of_stream(stream)
        self._path = of_group(stream, group)
        self._settings = settings
        self._each = each
        self._batch = batch
        self._mode: AsyncLeaseMode | AsyncOffsetMode | None = None
        self._is_stopping = False

    def stop(self) -> None:
        """Let `run` finish what is begun, give the rest back, and return. From any thread, or a signal handler."""
        self._is_stopping = True
        if self._mode is not None:
            self._mode.stop()

    async def run(self, *, until_signal: bool = False) -> None:
        """Consume until `stop`.

        Args:
            until_signal: stop on SIGINT and SIGTERM too; only in the main thread.

        Raises:
            Problem, NoAnswer: the group cannot be looked at, or it is refused for good.
            HandlerFailed: in offset mode with `on_failure="stop"`.
        """
        restore = on_signals(self.stop) if until_signal else None
        try:
            group = msgspec.json.decode((await self._transport.send(get(self._path))).body, type=Group)
            if group.mode == "lease":
                self._mode = AsyncLeaseMode(
                    self._transport, self._path, group, self._settings, each=self._each, batch=self._batch
                )
            else:
                self._mode = AsyncOffsetMode(
                    self._transport,
                    self._stream_path,
                    self._path,
                    self._group,
                    self._settings,
                    each=self._each,
                    batch=self._batch,
                )
            if self._is_stopping:
                self._mode.stop()
            await self._mode.run()
        finally:
            if restore is not None:
                restore()
