import contextlib
import gzip
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from django.core.management.base import CommandError, CommandParser

from observability.operations.command import OperatorCommand, console, find_stream_named, progress
from observability.operations.transfer import count_events, export_events


class Command(OperatorCommand):
    help = "Export a stream's kept events as NDJSON, one event a line, as consumers read it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("stream")
        parser.add_argument("file", nargs="?", default="-", help="- or nothing: standard output; .gz is compressed")

    def run_for(self, options: dict[str, Any]) -> None:
        stream = find_stream_named(options["stream"])
        exported = 0
        with open_target(options["file"]) as file, progress("events") as bar:
            task = bar.add_task(f"Exporting {stream.name}", total=count_events(stream))
            for events in export_events(stream):
                file.write(b"\n".join(events) + b"\n")
                exported += len(events)
                bar.update(task, advance=len(events))
        console().print(f"Exported {exported} events of {stream.name}.")


@contextlib.contextmanager
def open_target(name: str) -> Iterator[IO[bytes]]:
    """Open a new file, or standard output; a file is there only once it is whole."""
    if name == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(name)
    if path.exists():
        raise CommandError(f"{path} exists: export to another file.")
    draft = path.with_name(f".{path.name}.part")
    try:
        with gzip.open(draft, "wb", compresslevel=3) if path.suffix == ".gz" else draft.open("wb") as file:
            yield file  # type: ignore[misc]
        draft.replace(path)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)
