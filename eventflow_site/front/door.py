"""The door: which way a request goes, and what must be true before it goes there."""

from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from math import inf

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http.response import HttpResponseBase

from accounts.authentication import find_sender
from accounts.conf import MAX_BODY_BYTES
from accounts.database_threads import lend_database_threads
from accounts.errors import BodyTruncated, LengthRequired
from accounts.http.bodies import JSON, is_chunked
from accounts.http.client_address import client_address
from accounts.http.event_stream import EventStreamResponse
from accounts.http.lean_response import LeanHeaders
from accounts.limits.places import check_reads_in_line
from accounts.long_work import lend_threads_for_long_work
from accounts.turns import current_names
from eventflow_site.front import limits
from eventflow_site.front.bodies import Bodies, Sender
from eventflow_site.front.django_lane import DjangoLane
from eventflow_site.front.exchange import Answer, Exchange
from eventflow_site.front.hot_lane import HotLane, find_hot_view
from eventflow_site.front.pace import PeerSockets, at_readers_pace
from eventflow_site.front.requests import FrontRequest, wsgi_environ_of
from eventflow_site.front.shedding import Shedding
from eventflow_site.transport import API_PREFIX
from streams.errors import AppendNotStored


class Door:
    """Takes in every request of one event loop; made on that loop, when Django is set up.

    The threads for the hot verbs and those for all else have as many connections to the database as there are
    threads, so nobody waits for a connection while holding a thread, and neither kind takes the other's.
    """

    def __init__(self, *, hot_lane: Callable[[], HotLane] = HotLane, handler: WSGIHandler) -> None:
        database_threads, django_threads = share_of_connections(settings.DATABASE_POOL_SIZE)
        self._threads = lend_database_threads(database_threads, check_line=check_reads_in_line)
        self._long_work = lend_threads_for_long_work(limits.LONG_WORK_THREADS, refusal=AppendNotStored)
        self._bodies = Bodies()
        self._shedding = Shedding()
        self._peers = PeerSockets()
        self._hot_lane = hot_lane()
        self._django_lane = DjangoLane(handler, threads=django_threads)

    async def answer(self, exchange: Exchange) -> Answer:
        """Answer one request."""
        repeated = self._shedding.repeat_refusal(exchange)
        if repeated is not None:
            await self._shedding.hold_back()
            return repeated
        request = FrontRequest(exchange, self._bodies)
        if request.refusal is None:
            request.resolver_match = find_hot_view(exchange.method, request.path)
        if request.refusal is None and request.resolver_match is None:
            answer = await self._ask_django(request)
        else:
            answer = self._as_answer(await self._hot_lane.answer(request), exchange)
        self._shedding.note_answer(exchange, answer)
        return answer

    async def _ask_django(self, request: FrontRequest) -> Answer:
        try:
            found = await find_sender(request)
            names = found or (client_address(request),)
            # Before anybody has looked closer: so that they wait for a thread in turn.
            current_names.set(names)
            body = await self._collect(request, Sender(names[-1], is_proven=found is not None))
            return self._paced(await self._django_lane.answer(wsgi_environ_of(request.environ, body)), request.exchange)
        except Exception as error:  # noqa: BLE001 - every error becomes a problem, as in a view
            request.refusal = error
        try:
            return self._as_answer(await self._hot_lane.answer(request), request.exchange)
        finally:
            # It knows this frame, and the frame the request: a circle, in which the connection would stay open.
            request.refusal = None

    def _paced(self, answer: Answer, exchange: Exchange) -> Answer:
        if not isinstance(answer.content, AsyncGenerator):
            return answer
        # Nobody can ask for the rest of a file: where nobody can tell the pace, it comes at once.
        pieces = at_readers_pace(answer.content, peer=exchange.client, sockets=self._peers, most_unseen=inf)
        return replace(answer, content=pieces)

    async def _collect(self, request: FrontRequest, sender: Sender) -> bytes:
        """Return the whole body, or nothing of one that Django refuses by its length alone.

        Raises:
            BodyTooSlow, TooManySlowBodies
            BodyTruncated: it ended before its time.
            LengthRequired: it came in chunks, and half of it could be taken for the whole.
        """
        declared = request.declared_length
        if not declared and not is_chunked(request):
            return b""
        is_api = request.path.startswith(API_PREFIX)
        limit = MAX_BODY_BYTES if is_api else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if declared is not None and declared > limit:
            return b""
        if declared is None and not is_api and request.META.get("CONTENT_TYPE") != JSON:
            raise LengthRequired("A form needs a Content-Length.")
        body = await request.collect_body(limit=limit, sender=sender)
        if declared is not None and len(body) < declared:
            raise BodyTruncated(f"Content-Length says {declared} bytes, {len(body)} came. Nothing was stored.")
        return body

    def _as_answer(self, response: HttpResponseBase, exchange: Exchange) -> Answer:
        # Nothing that is answered on the loop sets a cookie.
        own = response.headers
        headers = own.lines() if isinstance(own, LeanHeaders) else list(own.items())
        if isinstance(response, EventStreamResponse):
            pieces = at_readers_pace(response.pieces, peer=exchange.client, sockets=self._peers)
            return Answer(response.status_code, headers, pieces, response.close)
        content: bytes = response.content  # type: ignore[attr-defined]
        return Answer(response.status_code, headers, content)


def share_of_connections(pool_size: int) -> tuple[int, int]:
    """Return how many connections are for the hot verbs, and how many for everything else."""
    if not pool_size:
        return limits.THREADS_WITHOUT_POOL, limits.THREADS_WITHOUT_POOL
    return max(1, (pool_size + 1) // 2), max(1, pool_size // 2)
