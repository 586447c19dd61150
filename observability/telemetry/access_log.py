"""One log line for each request, and one count; on the path of every append, so in few steps."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from accounts.caller import Caller
from accounts.http.both_doors import BothDoors, Passage
from observability.telemetry.http_metrics import count_request
from observability.telemetry.log_format import is_pretty, log_writer
from observability.telemetry.log_safety import escape_text, redact_text

MAX_PATH_CHARACTERS = 256
_LINE_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE


class AccessLogMiddleware(BothDoors):
    """Log and count every request: who asked for what, what was answered, how long it took.

    The time does not count what a waiting poll spent waiting (`request.waited_seconds`, if a view sets it)
    towards `slow`; a live stream has its line when it is over, and has waited since it was opened. A refusal says by
    which problem (`request.problem_code`, if it became one). Neither the query string nor any header is logged: they
    may hold secrets.
    """

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        super().__init__(get_response)
        self.slow_seconds = settings.SLOW_REQUEST_SECONDS
        self.level = logging.getLevelNamesMapping()[settings.LOG_LEVEL]
        self.write = write_pretty if is_pretty(settings.LOG_FORMAT) else write_json

    def passage(self, request: HttpRequest) -> Passage:
        started = time.perf_counter()
        response = yield
        seconds = time.perf_counter() - started
        call_at_end = getattr(response, "call_at_end", None)
        if call_at_end is None:
            self._note(request, response, seconds, waited=getattr(request, "waited_seconds", 0.0))
        else:

            def note() -> None:
                whole = time.perf_counter() - started
                self._note(request, response, whole, waited=whole - seconds)

            call_at_end(note)
        return response

    def _note(self, request: HttpRequest, response: HttpResponseBase, seconds: float, *, waited: float) -> None:
        status = response.status_code
        match = request.resolver_match
        count_request(request.method or "", match.route if match else None, status, seconds - waited)
        is_slow = seconds - waited > self.slow_seconds
        level = logging.ERROR if status >= 500 else logging.WARNING if is_slow else logging.INFO
        if level < self.level:
            return
        fields = {
            "timestamp": datetime.now(UTC),
            "level": "info" if level == logging.INFO else logging.getLevelName(level).lower(),
            "event": "request",
            "request_id": getattr(request, "request_id", None),
            "caller": reference_of(request),
            "method": safe(request.method or ""),
            "route": match.route if match else None,
            "path": safe(request.path_info[:MAX_PATH_CHARACTERS]),
            "status": status,
            "duration_seconds": round(seconds, 6),
        }
        # Not for a page that shows a refusal and is none; a live stream may end with one.
        if (status >= 400 or hasattr(response, "call_at_end")) and (code := getattr(request, "problem_code", None)):
            fields["code"] = code
        if waited:
            fields["waited_seconds"] = round(waited, 6)
        if is_slow:
            fields["slow"] = True
        if response.streaming:
            fields["streaming"] = True
        self.write(fields)


def reference_of(request: HttpRequest) -> str | None:
    """Return the caller's reference (`key:…`, `user:…`) if it was found out; looking never costs a query."""
    user = request.__dict__.get("user")
    # Not isinstance: a page's `request.user` is lazy, and isinstance would load it.
    if type(user) is Caller:
        return user.reference
    loaded = request.__dict__.get("_cached_user")
    return f"user:{loaded.pk}" if loaded is not None and loaded.is_authenticated else None


def safe(text: str) -> str:
    """Return a path or a method without secrets and control characters."""
    if "evf_" in text or "eyJ" in text:
        text = redact_text(text)
    return text if text.isprintable() else escape_text(text)


def write_json(fields: dict[str, Any]) -> None:
    """Write the line that production wants."""
    log_writer().write(orjson.dumps(fields, option=_LINE_OPTIONS))


_console = structlog.dev.ConsoleRenderer(pad_event_to=0)


def write_pretty(fields: dict[str, Any]) -> None:
    """Write the line that a person at a terminal wants."""
    seconds = fields.pop("duration_seconds")
    event = {
        "timestamp": fields.pop("timestamp").isoformat(timespec="milliseconds"),
        "level": fields.pop("level"),
        "event": f"{fields.pop('method')} {fields.pop('path')} {fields.pop('status')} {seconds * 1000:.1f} ms",
    }
    del fields["event"], fields["route"]
    log_writer().write(f"{_console(None, '', event | fields)}\n".encode())
