"""`POST …/{group}/seek`: move the committed offsets on purpose."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.caller import caller_of
from accounts.http.idempotent import idempotent
from accounts.http.views import StrictView
from accounts.permissions import MayConsume
from accounts.roles import Right
from consumers.access import GroupRight
from consumers.api.schemas import SeekAnswerSerializer, SeekResultSerializer
from consumers.bodies.seek import SeekSerializer, read_seek
from consumers.queries import require_group
from consumers.services.seek import seek_group, total_affected
from streams.lookup import require_stream


class SeekView(StrictView):
    permission_classes = (MayConsume,)

    @extend_schema(
        operation_id="seek_group",
        tags=["Consumer groups"],
        request=SeekSerializer,
        responses={200: SeekAnswerSerializer},
    )
    @idempotent()
    def post(self, request: Request, stream: str, group: str) -> Response:
        """Move the committed offset of one partition or of all, back or forth; `dry_run` only says what would happen.

        In lease mode all that is handed out is fenced off: its leases are lost.
        """
        caller = caller_of(request)
        found = require_stream(caller, stream, Right.CONSUME)
        managed = require_group(caller, found, group, GroupRight.MANAGE)
        wanted = read_seek(request.data)
        results = seek_group(
            stream=found,
            group=managed,
            target=wanted.target,
            partition=wanted.partition,
            is_dry_run=wanted.is_dry_run,
        )
        told = SeekResultSerializer(results, many=True).data
        answer: dict[str, Any] = {
            "dry_run": wanted.is_dry_run,
            "events_affected": total_affected(results),
            "data": told,
        }
        # Where only one partition is moved, what became of it stands at the top as well.
        return Response(answer | dict(told[0]) if len(told) == 1 else answer)
