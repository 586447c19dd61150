"""`POST …/{group}/ack`, `/nack`, `/extend`, `/release`: what a consumer says of what it was handed."""

from typing import Any

import msgspec
import orjson
from django.http import HttpRequest, HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema

from accounts.http.bodies import JSON
from accounts.http.lean import LeanView
from accounts.http.lean_response import LeanResponse
from accounts.permissions import MayConsume
from consumers.api.bodies import (
    AckRequest,
    ExtendRequest,
    LeaseItem,
    NackRequest,
    ReleaseRequest,
    check_unique,
    decode_body,
)
from consumers.api.schemas import DeliveryResultsSerializer
from consumers.api.standing import find_stream_and_group
from consumers.errors import LeaseLost
from consumers.isolation import FailedEvent
from consumers.services.leasing import (
    Ack,
    DeliveryResult,
    LeaseRef,
    LeaseResult,
    Nack,
    ack_deliveries_async,
    extend_leases_async,
    nack_deliveries_async,
    release_deliveries_async,
)

RESPONSES = {
    200: OpenApiResponse(DeliveryResultsSerializer),
    207: OpenApiResponse(
        DeliveryResultsSerializer, description="Some of the leases were lost, and nothing of theirs changed."
    ),
}


class _OutcomeView(LeanView):
    permission_classes = (MayConsume,)

    async def _decode(self, request: HttpRequest, decoder: msgspec.json.Decoder[Any]) -> Any:
        body = await decode_body(request, decoder)
        await self.admit_after_body(request)
        check_unique(body.deliveries)
        request.said_of = body.deliveries  # type: ignore[attr-defined]
        return body


class AckView(_OutcomeView):
    decoder = msgspec.json.Decoder(AckRequest)

    @extend_schema(operation_id="ack_deliveries", tags=["Lease mode"], request=AckRequest, responses=RESPONSES)
    async def post(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        """Done. Name the offsets that failed, if any: each goes on by itself, the rest is finished.

        The same again is harmless. 409 `lease_lost` if none of the leases is yours any more.
        """
        body: AckRequest = await self._decode(request, self.decoder)
        acks = [
            Ack(
                item.delivery_id,
                item.lease_token,
                [FailedEvent(each.offset, each.error, each.delay, each.terminal) for each in _once(item.failed)],
            )
            for item in body.deliveries
        ]
        _, wanted = await find_stream_and_group(request, stream, group)
        return answer(await ack_deliveries_async(group=wanted, acks=acks))


class NackView(_OutcomeView):
    decoder = msgspec.json.Decoder(NackRequest)

    @extend_schema(operation_id="nack_deliveries", tags=["Lease mode"], request=NackRequest, responses=RESPONSES)
    async def post(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        """Failed as a whole: it comes again after the group's backoff or its own delay, or never if `terminal`."""
        body: NackRequest = await self._decode(request, self.decoder)
        nacks = [
            Nack(item.delivery_id, item.lease_token, item.error, item.delay, item.terminal) for item in body.deliveries
        ]
        _, wanted = await find_stream_and_group(request, stream, group)
        return answer(await nack_deliveries_async(group=wanted, nacks=nacks))


class ReleaseView(_OutcomeView):
    decoder = msgspec.json.Decoder(ReleaseRequest)

    @extend_schema(operation_id="release_deliveries", tags=["Lease mode"], request=ReleaseRequest, responses=RESPONSES)
    async def post(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        """Give it back untouched: available at once, not counted as failed."""
        body: ReleaseRequest = await self._decode(request, self.decoder)
        _, wanted = await find_stream_and_group(request, stream, group)
        leases = _refs(body.deliveries)
        return answer(await release_deliveries_async(group=wanted, leases=leases))


class ExtendView(_OutcomeView):
    decoder = msgspec.json.Decoder(ExtendRequest)

    @extend_schema(operation_id="extend_leases", tags=["Lease mode"], request=ExtendRequest, responses=RESPONSES)
    async def post(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        """Keep it for another ack wait, counted from now."""
        body: ExtendRequest = await self._decode(request, self.decoder)
        _, wanted = await find_stream_and_group(request, stream, group)
        leases = _refs(body.deliveries)
        return answer(await extend_leases_async(group=wanted, leases=leases, ack_wait_seconds=body.ack_wait))


def answer(results: list[DeliveryResult]) -> HttpResponse:
    """200, or 207 if some leases were lost.

    Raises:
        LeaseLost: all of them were.
    """
    lost = [each.delivery_id for each in results if each.result is LeaseResult.LEASE_LOST]
    if len(lost) == len(results):
        raise LeaseLost(lost)
    told = [
        {
            "delivery_id": each.delivery_id,
            "result": each.result,
            "repeated": each.is_repeated,
            "expires_at": each.expires_at,
        }
        for each in results
    ]
    content = orjson.dumps({"data": told}, option=orjson.OPT_UTC_Z)
    return LeanResponse(content, status=207 if lost else 200, content_type=JSON)


def _refs(items: list[LeaseItem]) -> list[LeaseRef]:
    return [LeaseRef(item.delivery_id, item.lease_token) for item in items]


def _once(failed: list[Any]) -> list[Any]:
    """An offset that is named twice failed once; the last word on it counts."""
    return list({each.offset: each for each in failed}.values())
