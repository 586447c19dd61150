"""Leases in traces: each is a span of its own, which whatever is said of the lease later is linked to.

What is said later comes with the lease's token, and perhaps to another worker. So the token alone says which span it
is: its ids are made from a hash of it. Nothing is kept for that, and nothing read; of the token the ids tell nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from hashlib import sha256
from uuid import UUID

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Link, SpanContext, TraceFlags

# As many links as a span keeps.
MAX_LINKS = 128
DELIVERY_IDS = "eventflow.delivery_ids"
_tracer = trace.get_tracer("eventflow")
_next_ids: ContextVar[SpanContext | None] = ContextVar("ids of the next span", default=None)


class Ids(RandomIdGenerator):
    """Chance, except for the span of a lease."""

    def generate_span_id(self) -> int:
        wanted = _next_ids.get()
        return super().generate_span_id() if wanted is None else wanted.span_id

    def generate_trace_id(self) -> int:
        wanted = _next_ids.get()
        return super().generate_trace_id() if wanted is None else wanted.trace_id


def span_of_lease(token: UUID) -> SpanContext:
    """Return which span is that of a lease, the same in every process."""
    digest = sha256(b"eventflow lease " + token.bytes).digest()
    trace_id, span_id = int.from_bytes(digest[:16]), int.from_bytes(digest[16:24])
    return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def tell_leases(delivery_ids: Mapping[UUID, Sequence[int]], origins: Iterable[SpanContext]) -> None:
    """Send the spans of leases that the current span has given out.

    Args:
        delivery_ids: the deliveries of each lease, by its token.
        origins: where their events came from.
    """
    given_out_by = trace.get_current_span().get_span_context()
    links = [Link(given_out_by), *map(Link, origins)][:MAX_LINKS]
    for token, ids in delivery_ids.items():
        named = _next_ids.set(span_of_lease(token))
        try:
            # A trace of its own: whoever acks knows the token, and not in which trace it was leased.
            span = _tracer.start_span("lease", Context(), links=links)
        finally:
            _next_ids.reset(named)
        span.set_attribute(DELIVERY_IDS, ids[:MAX_LINKS])
        span.end()


def spans_of_leases(tokens: Iterable[UUID]) -> Iterator[SpanContext]:
    """Return the span of each lease once, at most `MAX_LINKS`."""
    return map(span_of_lease, list(dict.fromkeys(tokens))[:MAX_LINKS])
