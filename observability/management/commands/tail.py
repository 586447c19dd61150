from typing import Any

from django.core.management.base import CommandError, CommandParser

from consumers.services.reading import read_events
from observability.operations.command import OperatorCommand, find_stream_named
from streams.conf import DEFAULT_READ_BYTES, MAX_READ_EVENTS
from streams.log import get_log
from streams.log.protocol import PartitionRef
from streams.lookup import StreamInfo, partition_of, renewed

# After so long it looks whether partitions were added.
WAIT_SECONDS = 5.0


class Command(OperatorCommand):
    help = "Show a stream's newest events, one a line, and with --follow every new one as it comes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("stream")
        parser.add_argument("-n", "--lines", type=int, default=10, help="so many of each partition (10)")
        parser.add_argument("-f", "--follow", action="store_true", help="go on until interrupted")
        parser.add_argument("--partition", type=int, help="only this one")
        parser.add_argument("--type", action="append", help="only events of this type; may be given more than once")

    def run_for(self, options: dict[str, Any]) -> None:
        stream = find_stream_named(options["stream"])
        if options["lines"] < 0:
            raise CommandError("--lines: 0 or more.")
        number = options["partition"]
        positions = _start(stream, number, options["lines"])
        types = frozenset(options["type"]) if options["type"] else None
        try:
            self._show(stream, positions, types, follow=options["follow"], is_whole=number is None)
        except KeyboardInterrupt:
            return

    def _show(
        self,
        stream: StreamInfo,
        positions: dict[PartitionRef, int],
        types: frozenset[str] | None,
        *,
        follow: bool,
        is_whole: bool,
    ) -> None:
        while True:
            if is_whole:
                # Partitions may be added while it is followed.
                positions = dict.fromkeys(renewed(stream).partitions, 0) | positions
            reading = read_events(
                positions=positions,
                limit=MAX_READ_EVENTS,
                max_bytes=DEFAULT_READ_BYTES,
                wait_seconds=WAIT_SECONDS if follow else 0,
                types=types,
            )
            self.write_lines(reading.events)
            positions = {each: reading.next_offsets[each.number] for each in positions}
            if not follow and all(
                after >= reading.bounds[each.number].head_offset for each, after in positions.items()
            ):
                return


def _start(stream: StreamInfo, number: int | None, lines: int) -> dict[PartitionRef, int]:
    partitions = stream.partitions if number is None else (partition_of(stream, number),)
    bounds = get_log().bounds(partitions)
    return {each: max(0, bounds[each.id].head_offset - lines) for each in partitions}
