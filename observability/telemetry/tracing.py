"""Traces for an OpenTelemetry collector: an extra, loaded only with EVENTFLOW_TRACES=true.

Events keep the trace that they came in (`traceparent`), and who is handed them is linked to it; what is said of a lease
is linked to that (`lease_spans.py`).

A span for each request, for each task and for each statement on Django's connections. What it says is
what the log says: no query string, no header, no parameter of a statement, no payload. Where spans go, and how many,
is said by OpenTelemetry's own variables (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER …).
"""

import functools
import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any
from uuid import UUID

from celery import signals
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.http import HttpRequest, HttpResponseBase
from opentelemetry import context, propagate, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanContext, SpanKind, Status, StatusCode

from accounts.http.both_doors import BothDoors, Passage
from accounts.slow_statements import statement_text
from observability.telemetry.access_log import MAX_PATH_CHARACTERS, reference_of, safe
from observability.telemetry.http_metrics import METHODS
from observability.telemetry.lease_spans import DELIVERY_IDS, MAX_LINKS, Ids, spans_of_leases, tell_leases
from observability.telemetry.log_safety import redact_text
from streams.stored_event import traceparent_of
from streams.trace_context import is_traceparent

SERVICE = "eventflow"
SEND_EVERY_MILLISECONDS = 1_000
# The header that carries a trace from whoever sends a task to whoever runs it.
TRACE_HEADERS = ("traceparent", "tracestate")
_tracer = trace.get_tracer("eventflow")
# What an exception says may hold anybody's data: a row, a value.
_begin_span = functools.partial(_tracer.start_as_current_span, record_exception=False, set_status_on_exception=False)
_TRACEPARENT = "HTTP_TRACEPARENT"
_running: dict[str, tuple[Span, Any]] = {}


def connect() -> None:
    """Attach to Celery and to database connections; spans leave the process once `start` was called."""
    connection_created.connect(_watch_connection, dispatch_uid="traces")
    signals.worker_init.connect(_start_in_worker, dispatch_uid="traces")
    signals.before_task_publish.connect(_send_trace_along, dispatch_uid="traces")
    signals.task_prerun.connect(_begin_task, dispatch_uid="traces")
    signals.task_failure.connect(_note_failure, dispatch_uid="traces")
    signals.task_postrun.connect(_end_task, dispatch_uid="traces")


@functools.cache
def start() -> None:
    """Begin to send spans from this process: a web or Celery worker, no command."""
    named_elsewhere = "OTEL_SERVICE_NAME" in os.environ or "service.name" in os.environ.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    resource = Resource.create({} if named_elsewhere else {"service.name": SERVICE})
    provider = TracerProvider(resource=resource, id_generator=Ids())
    # A web worker leaves without ceremony when it is stopped, so spans do not wait for long.
    delay = None if "OTEL_BSP_SCHEDULE_DELAY" in os.environ else SEND_EVERY_MILLISECONDS
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=delay))
    trace.set_tracer_provider(provider)


class TracingMiddleware(BothDoors):
    """A span for each request. It joins the trace that the caller's `traceparent` names."""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        super().__init__(get_response)
        start()

    def passage(self, request: HttpRequest) -> Passage:
        incoming = {name: request.headers[name] for name in TRACE_HEADERS if name in request.headers}
        method = request.method if request.method and request.method in METHODS else "_OTHER"
        span_context = propagate.extract(incoming)
        with _begin_span(method, span_context, SpanKind.SERVER) as span:
            if span.is_recording() and _TRACEPARENT not in request.META:
                # What is appended within it is part of this trace.
                named: dict[str, str] = {}
                propagate.inject(named)
                request.META[_TRACEPARENT] = named.get("traceparent", "")
            response = yield
            if span.is_recording():
                describe(span, request, response, method=method)
        return response


def describe(span: Span, request: HttpRequest, response: HttpResponseBase, *, method: str) -> None:
    """Say about a request what its log line says."""
    match = request.resolver_match
    span.update_name(f"{method} {match.route}" if match else method)
    span.set_attribute("http.request.method", method)
    span.set_attribute("http.response.status_code", response.status_code)
    span.set_attribute("url.path", safe(request.path_info[:MAX_PATH_CHARACTERS]))
    span.set_attribute("eventflow.request_id", getattr(request, "request_id", ""))
    span.set_attribute("eventflow.waited_seconds", getattr(request, "waited_seconds", 0.0))
    if match:
        span.set_attribute("http.route", match.route)
    if caller := reference_of(request):
        span.set_attribute("eventflow.caller", caller)
    if span.is_recording():
        _link(span, request)
    if response.status_code >= 500:
        span.set_status(Status(StatusCode.ERROR))


def _link(span: Span, request: HttpRequest) -> None:
    """Link a request to where its events came from, or to the leases that it says something of."""
    leased, said_of = getattr(request, "leased", ()), getattr(request, "said_of", ())
    handed_out = getattr(request, "handed_out", None) or [each.events for each in leased]
    origins = list(origins_of(handed_out))
    for origin in (*origins, *spans_of_leases(each.lease_token for each in said_of)):
        span.add_link(origin)
    if delivery_ids := [each.id for each in leased] or [each.delivery_id for each in said_of]:
        # A lease and what is said of it afterwards are found by these, too.
        span.set_attribute(DELIVERY_IDS, delivery_ids[:MAX_LINKS])
    by_token: dict[UUID, list[int]] = {}
    for each in leased:
        by_token.setdefault(each.token, []).append(each.id)
    tell_leases(by_token, origins)


def origins_of(handed_out: Iterable[Iterable[bytes]]) -> Iterator[SpanContext]:
    """Return where events came from, as far as they say it: each span once, at most `MAX_LINKS`."""
    found = (traceparent_of(event) for events in handed_out for event in events)
    several = dict.fromkeys(text for text in found if is_traceparent(text))
    for traceparent in islice(several, MAX_LINKS):
        yield trace.get_current_span(propagate.extract({"traceparent": traceparent}, Context())).get_span_context()


# --- statements ---


def _watch_connection(connection: BaseDatabaseWrapper, **_signal: Any) -> None:
    if _trace_statement not in connection.execute_wrappers:
        connection.execute_wrappers.append(_trace_statement)


def _trace_statement(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:  # noqa: FBT001 - Django's signature
    if not trace.get_current_span().is_recording():
        return execute(sql, params, many, context)
    text = statement_text(sql)
    verb = text.partition(" ")[0].upper() or "SQL"
    with _begin_span(verb, kind=SpanKind.CLIENT) as span:
        span.set_attribute("db.system.name", "postgresql")
        span.set_attribute("db.query.text", text)
        try:
            return execute(sql, params, many, context)
        except Exception as error:
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


# --- tasks ---


def _start_in_worker(**_signal: Any) -> None:
    start()


def _send_trace_along(headers: dict[str, Any], **_signal: Any) -> None:
    propagate.inject(headers)


def _begin_task(task_id: str, task: Any, **_signal: Any) -> None:
    sent = {name: value for name in TRACE_HEADERS if (value := getattr(task.request, name, None))}
    span = _tracer.start_span(f"task {task.name}", context=propagate.extract(sent), kind=SpanKind.CONSUMER)
    span.set_attribute("eventflow.task_id", task_id)
    _running[task_id] = (span, context.attach(trace.set_span_in_context(span)))


def _note_failure(task_id: str, exception: BaseException, **_signal: Any) -> None:
    if task_id in _running:
        words = redact_text(f"{type(exception).__name__}: {exception}")
        _running[task_id][0].set_status(Status(StatusCode.ERROR, words))


def _end_task(task_id: str, **_signal: Any) -> None:
    if task_id in _running:
        span, token = _running.pop(task_id)
        context.detach(token)
        span.end()
