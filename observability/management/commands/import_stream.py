import gzip
import sys
import zlib
from pathlib import Path
from typing import IO, Any

from django.core.management.base import CommandError, CommandParser

from observability.operations.command import OperatorCommand, console, find_stream_named, progress
from observability.operations.transfer import count_events, import_events


class Command(OperatorCommand):
    help = (
        "Append what export_stream wrote. Into an empty stream of as many partitions, a whole export gets its old "
        "offsets; times are those of the import."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("stream")
        parser.add_argument("file", nargs="?", default="-", help="- or nothing: standard input; .gz is compressed")
        parser.add_argument(
            "--partitions", type=int, help="how many the exported stream had; as many as this one unless given"
        )
        parser.add_argument("--into-filled", action="store_true", help="append even though the stream has events")

    def run_for(self, options: dict[str, Any]) -> None:
        stream = find_stream_named(options["stream"])
        if count_events(stream) and not options["into_filled"]:
            raise CommandError(f"{stream.name} has events already: --into-filled appends nevertheless.")
        imported = repeated = 0
        partitions = options["partitions"] or len(stream.partitions)
        with _open(options["file"]) as file, progress("events") as bar:
            task = bar.add_task(f"Importing into {stream.name}", total=None)
            try:
                for portion in import_events(stream, file, partitions=partitions):
                    imported += portion.stored
                    repeated += portion.repeated
                    bar.update(task, advance=sum(portion))
            except (EOFError, OSError, zlib.error) as error:
                # Cut short, damaged, or not compressed at all.
                raise CommandError(f"{options['file']}: {error}. {imported} events were imported.") from error
        there = f" {repeated} were there already, by their ids." if repeated else ""
        console().print(f"Imported {imported} events into {stream.name}.{there}")


def _open(name: str) -> IO[bytes]:
    if name == "-":
        return sys.stdin.buffer
    path = Path(name)
    try:
        return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error
