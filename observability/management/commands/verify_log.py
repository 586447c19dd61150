import sys
from functools import partial
from typing import Any

from django.core.management.base import CommandParser

from observability.operations.command import OperatorCommand, console, find_stream_named, progress
from observability.operations.transfer import count_events
from observability.operations.verify_log import find_groups_without_place, verify_partition
from streams.lookup import StreamInfo, infos_of
from streams.models import Stream


class Command(OperatorCommand):
    help = (
        "Read whole streams and check them: no offset missing, every batch readable, counts right, each group with an "
        "offset in every partition. 1 if not."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("stream", nargs="*", help="all of them unless named")

    def run_for(self, options: dict[str, Any]) -> None:
        streams = [find_stream_named(name) for name in options["stream"]] or _all_streams()
        found = 0
        with progress("events") as bar:
            for stream in streams:
                task = bar.add_task(f"Reading {stream.name}", total=count_events(stream))
                for partition in stream.partitions:
                    for each in verify_partition(partition, advance=partial(bar.advance, task)):
                        found += 1
                        self.stdout.write(f"{stream.name}/{each.partition.number} offset {each.offset}: {each.problem}")
                    for group in find_groups_without_place(partition):
                        found += 1
                        self.stdout.write(f"{stream.name}/{partition.number}: {group} has no offset in it")
        console().print(f"Read {len(streams)} streams: " + (f"{found} problems." if found else "all is well."))
        if found:
            sys.exit(1)


def _all_streams() -> list[StreamInfo]:
    return infos_of(list(Stream.objects.prefetch_related("partitions").order_by("name")))
