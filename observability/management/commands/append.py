import hashlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Final

import msgspec
from django.core.management.base import CommandError, CommandParser

from accounts.conf import MAX_IDEMPOTENCY_KEY_LENGTH
from observability.conf import TRANSFER_BYTES, TRANSFER_EVENTS
from observability.operations.command import OperatorCommand, caller_for, console, find_stream_named, progress
from streams.envelope import decode_events
from streams.errors import AppendOutcomeUnknown
from streams.services.ingest import Idempotency, append_events

# Each portion has a key of its own: this one, and its number.
_LONGEST_KEY: Final = MAX_IDEMPOTENCY_KEY_LENGTH - 15


class Command(OperatorCommand):
    help = "Append events from NDJSON: one event a line, as POST /events takes them (`stream` may be left out)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("stream")
        parser.add_argument("file", nargs="?", default="-", help="- or nothing: standard input")
        parser.add_argument("--as", dest="email", metavar="EMAIL", help="who appends; the stream's owner unless given")
        parser.add_argument("--payloads", action="store_true", help="each line is a payload, not an event")
        parser.add_argument(
            "--idempotency-key",
            metavar="KEY",
            help="the same file again with the same key, within 24 hours, appends only what is missing",
        )

    def run_for(self, options: dict[str, Any]) -> None:
        stream = find_stream_named(options["stream"])
        caller = caller_for(stream, options["email"])
        if len(options["idempotency_key"] or "") > _LONGEST_KEY:
            raise CommandError(f"--idempotency-key: at most {_LONGEST_KEY} characters.")
        appended = repeated = 0
        with _open(options["file"]) as file, progress("bytes") as bar:
            task = bar.add_task(f"Appending to {stream.name}", total=_size(file))
            for number, body in enumerate(_bodies(file, are_payloads=options["payloads"])):
                events, _ = decode_events(body, is_ndjson=True)
                key = options["idempotency_key"]
                try:
                    outcome, _ = append_events(
                        caller=caller,
                        events=events,
                        is_single=False,
                        stream_name=stream.name,
                        render=lambda _placement, _ranges: b"{}",
                        idempotency=Idempotency(f"{key}-{number}", hashlib.sha256(body).digest()) if key else None,
                    )
                except AppendOutcomeUnknown as error:
                    raise CommandError(
                        f"{error.detail} {appended + repeated} events are stored for certain."
                    ) from error
                if outcome.is_replay:
                    repeated += len(events)
                else:
                    appended += len(events)
                bar.update(task, advance=len(body))
        console().print(f"Appended {appended} events to {stream.name}.")
        if repeated:
            console().print(
                f"{repeated} more were stored before under this idempotency key, and were not appended again."
            )


def _open(name: str) -> IO[bytes]:
    if name == "-":
        return sys.stdin.buffer
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}") from error


def _size(file: IO[bytes]) -> int | None:
    name = getattr(file, "name", None)
    return Path(name).stat().st_size if isinstance(name, str) and Path(name).is_file() else None


def _bodies(lines: Iterable[bytes], *, are_payloads: bool) -> Iterator[bytes]:
    """Yield what makes a request each: about a thousand lines or eight megabytes."""
    body: list[bytes] = []
    size = 0
    for line in lines:
        if not line.strip():
            continue
        text = _wrap(line) if are_payloads else line.rstrip(b"\r\n")
        if body and (len(body) == TRANSFER_EVENTS or size + len(text) > TRANSFER_BYTES):
            yield b"\n".join(body)
            body, size = [], 0
        body.append(text)
        size += len(text) + 1
    if body:
        yield b"\n".join(body)


def _wrap(payload: bytes) -> bytes:
    try:
        return msgspec.json.encode({"payload": msgspec.Raw(payload.strip())})
    except msgspec.MsgspecError as error:
        raise CommandError(f"Not JSON: {error}") from error
