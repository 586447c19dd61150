"""API keys, and who produces with them."""

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from accounts.bodies import read_new_api_key, read_overlap_seconds
from accounts.errors import DomainError
from accounts.permissions import PersonOnly
from accounts.queries import get_api_key
from accounts.roles import MEANING_OF_SCOPE, Right, Scope, scopes_of
from accounts.services.api_keys import NewKey, create_api_key, revoke_api_key, rotate_api_key
from observability.dashboard.forms import Form, refused_form
from observability.dashboard.frame import roles_to_ask_for
from observability.dashboard.listing import PAGE_ROWS, cursor_of, listing_of, text_filter
from observability.dashboard.once import once
from observability.dashboard.page import Page, Toast, is_htmx
from observability.dashboard.problems import problem_of
from observability.dashboard.queries.key_pages import (
    find_expiring,
    list_key_rows,
    list_names_of_streams,
    list_producer_rows,
    view_key,
)
from streams.lookup import require_stream

FIELDS = {
    "/name": "name",
    "/scopes": "scopes",
    "/streams": "streams",
    "/expires_at": "expires",
    "/addresses": "addresses",
}
# The page has two lists.
PRODUCERS_CURSOR = "producers_after"
PRODUCERS_LISTED = 20
LIFETIMES = {"": "never", "30": "in 30 days", "90": "in 90 days", "365": "in a year"}
OVERLAPS = {"0": "now", "3600": "in an hour", "86400": "in a day", "604800": "in a week"}


class Keys(Page):
    """The caller's keys (an admin sees everybody's), and the producers with their streams."""

    section = "keys"
    permission_classes = (PersonOnly,)
    template = "dashboard/keys.html"
    region = "dashboard/_keys.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        now = timezone.now()
        keys = list_key_rows(self.caller, now=now, after=cursor_of(request), limit=PAGE_ROWS + 1)
        producers = list_producer_rows(
            self.caller, after=cursor_of(request, PRODUCERS_CURSOR), limit=PRODUCERS_LISTED + 1
        )
        return self.show(
            keys=listing_of(request, keys, key=lambda row: row.cursor),
            expiring=find_expiring(self.caller, now=now),
            producers=listing_of(
                request, producers, key=lambda row: row.email, size=PRODUCERS_LISTED, cursor=PRODUCERS_CURSOR
            ),
            is_admin=self.caller.is_admin,
            may_create=bool(self.caller.rights),
            asked_roles=roles_to_ask_for(self.caller),
        )


class NewKeyPage(Page):
    """The form of a new key; its answer shows the secret, this once."""

    section = "keys"
    permission_classes = (PersonOnly,)

    def get(self, request: HttpRequest) -> HttpResponse:
        if asked_roles := roles_to_ask_for(self.caller):
            return self.dialog("dashboard/_key_no_role.html", question="New key", asked_roles=asked_roles)
        # What a link suggests, of what is of use; whoever makes the key sees it and may change it.
        stream = text_filter(request, "stream")
        if stream:
            require_stream(self.caller, stream)
        suggested = [scope for scope in request.GET.getlist("scope") if scope in scopes_of(self.caller.roles)]
        values = {"expires": "90", "name": f"first steps with {stream}"[:120] if stream else ""}
        context = self._context(Form(values), tuple(suggested) or self._scopes(), (stream,) if stream else ())
        return self.dialog("dashboard/_key_form.html", question="New key", **context)

    @once(kept_part="dashboard/_key_made.html")
    def post(self, request: HttpRequest) -> HttpResponse:
        values = request.POST.dict()
        chosen, streams = request.POST.getlist("scopes"), [name for name in request.POST.getlist("streams") if name]
        try:
            new = create_api_key(user=self.user, **read_new_api_key(self._given(values, chosen, streams)))
        except (DomainError, ValidationError) as error:
            form = refused_form(values, problem_of(error, request), FIELDS, whole="name")
            context = self._context(form, tuple(chosen), tuple(streams))
            if is_htmx(request):
                return self.part("dashboard/_key_form.html", status=422, **context)
            return self.whole(
                "dashboard/question.html", status=422, dialog="dashboard/_key_form.html", question="New key", **context
            )
        return _show_secret(self, request, new)

    def _scopes(self) -> tuple[str, ...]:
        usual = (Right.PRODUCE, Right.CONSUME)
        return tuple(right.value for right in usual if self.caller.has_right(right))

    def _context(self, form: Form, chosen: tuple[str, ...], streams: tuple[str, ...]) -> dict[str, Any]:
        allowed = scopes_of(self.caller.roles)
        names = list_names_of_streams(self.caller)
        return {
            "form": form,
            "scopes": [(scope.value, MEANING_OF_SCOPE[scope]) for scope in Scope if scope in allowed],
            "chosen": chosen,
            # Of very many streams those that were chosen are offered too, or the key would be for all.
            "streams": names + [name for name in streams if name not in names],
            "chosen_streams": streams,
            "lifetimes": LIFETIMES.items(),
        }

    def _given(self, values: dict[str, str], scopes: list[str], streams: list[str]) -> dict[str, Any]:
        days = values.get("expires", "")
        return {
            "name": values.get("name", "").strip(),
            "scopes": scopes,
            "streams": streams or None,
            "addresses": values.get("addresses", "").replace(",", " ").split() or None,
            "expires_at": (timezone.now() + timedelta(days=int(days))).isoformat()
            if days in LIFETIMES and days
            else None,
        }


class RotateKey(Page):
    """A successor with the same rights; the old key ends now or after an overlap."""

    section = "keys"
    permission_classes = (PersonOnly,)

    def get(self, request: HttpRequest, key_id: str) -> HttpResponse:
        key = view_key(get_api_key(self.caller, key_id), timezone.now())
        return self.dialog("dashboard/_key_rotate.html", question="Rotate a key", key=key, overlaps=OVERLAPS.items())

    @once(kept_part="dashboard/_key_made.html")
    def post(self, request: HttpRequest, key_id: str) -> HttpResponse:
        overlap = request.POST.get("overlap", "0")
        seconds = read_overlap_seconds({"overlap_seconds": int(overlap) if overlap in OVERLAPS else overlap})
        new = rotate_api_key(key=get_api_key(self.caller, key_id), now=timezone.now(), overlap_seconds=seconds)
        return _show_secret(self, request, new)


class RevokeKey(Page):
    """What would break, then the end of the key."""

    section = "keys"
    permission_classes = (PersonOnly,)

    def get(self, request: HttpRequest, key_id: str) -> HttpResponse:
        return self.dialog("dashboard/_key_revoke.html", key=view_key(get_api_key(self.caller, key_id), timezone.now()))

    def post(self, request: HttpRequest, key_id: str) -> HttpResponse:
        key = get_api_key(self.caller, key_id)
        revoke_api_key(key=key, now=timezone.now())
        return self.done(Toast("good", f"{key.name} is revoked"), to=reverse("keys"), stay=True)


def _show_secret(page: Page, request: HttpRequest, new: NewKey) -> HttpResponse:
    context: dict[str, Any] = {
        "key": view_key(new.key, timezone.now()),
        "secret": new.secret,
        "curl": _curl(request, new),
    }
    if is_htmx(request):
        response = page.part("dashboard/_key_secret.html", **context)
        response["HX-Trigger-After-Swap"] = "refresh-live"
        return response
    return page.whole(
        "dashboard/question.html", dialog="dashboard/_key_secret.html", question="Copy the secret", **context
    )


def _curl(request: HttpRequest, new: NewKey) -> str:
    """A command that works as pasted, if the key may do it."""
    stream = (new.key.stream_names or ["STREAM"])[0]
    address = request.build_absolute_uri(f"/api/v1/streams/{stream}/events")
    if Right.PRODUCE.value in new.key.scopes:
        send = """-H 'Content-Type: application/json' \\\n  -d '{"type": "hello", "payload": {"from": "curl"}}'"""
        return f"curl '{address}' \\\n  -H 'X-API-Key: {new.secret}' \\\n  {send}"
    return f"curl '{address}?last_offset=0&limit=10' \\\n  -H 'X-API-Key: {new.secret}'"
