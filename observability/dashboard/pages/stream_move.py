"""Moving a stream to another engine: what that would change, how far it has come, and the way back."""

from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from accounts.permissions import MayManage
from accounts.roles import Right
from observability.dashboard.page import Page, Toast
from observability.dashboard.queries.stream_moves import list_move_rows
from observability.dashboard.queries.stream_pages import describe_stream
from streams.conf import POSTGRES
from streams.log import engine_aliases
from streams.queries import get_move, get_stream
from streams.services.moving.asking import abort_move, ask_for_move
from streams.services.moving.plan import foresee_move


class StreamMoves(Page):
    """The engine that a stream lies in, its moves, and a form to move it."""

    section = "streams"
    permission_classes = (MayManage,)
    template = "dashboard/stream_moves.html"
    region = "dashboard/_stream_moves.html"

    def get(self, request: HttpRequest, stream: str) -> HttpResponse:
        row = get_stream(self.caller, stream, Right.MANAGE)
        rows = list_move_rows(row)
        return self.show(
            stream=describe_stream(self.caller, stream),
            tab="settings",
            engine=row.engine,
            moves=rows,
            is_under_way=any(each.is_under_way for each in rows),
            others=[each for each in (POSTGRES, *engine_aliases()) if each != row.engine],
        )


class MoveStream(Page):
    """The question, with what would change and what stands in the way; then the move."""

    section = "streams"
    permission_classes = (MayManage,)

    def get(self, request: HttpRequest, stream: str) -> HttpResponse:
        row = get_stream(self.caller, stream, Right.MANAGE)
        target, allow_weak = request.GET.get("to", ""), request.GET.get("allow_weak") == "on"
        return self.dialog(
            "dashboard/_stream_move.html",
            stream=describe_stream(self.caller, stream),
            plan=foresee_move(stream=row, target=target, allow_weak=allow_weak),
            allow_weak=allow_weak,
        )

    def post(self, request: HttpRequest, stream: str) -> HttpResponse:
        row = get_stream(self.caller, stream, Right.MANAGE)
        target, allow_weak = request.POST.get("to", ""), request.POST.get("allow_weak") == "on"
        ask_for_move(stream=row, target=target, allow_weak=allow_weak)
        return self.done(Toast("good", f"{stream} moves to {target}"), to=reverse("stream-moves", args=[stream]))


class EndMove(Page):
    """Ends a move that has not come about."""

    section = "streams"
    permission_classes = (MayManage,)

    def post(self, request: HttpRequest, stream: str, move_id: str) -> HttpResponse:
        abort_move(move=get_move(get_stream(self.caller, stream, Right.MANAGE), move_id))
        toast = Toast("good", f"{stream} stays where it is")
        return self.done(toast, to=reverse("stream-moves", args=[stream]))
