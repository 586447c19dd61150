"""Sharing a stream or a group: the forms of the card "Access" on their settings pages."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from accounts.errors import DomainError
from accounts.permissions import MayConsume, MayManage
from accounts.queries import find_grantee
from accounts.roles import Right
from accounts.services.owners import new_owner_of
from consumers.access import GroupRight
from consumers.bodies.groups import read_group_changes, read_group_grant
from consumers.models import ConsumerGroup
from consumers.queries import require_group
from consumers.services.grants import grant_group, revoke_group_grant
from consumers.services.groups import change_group
from observability.dashboard.forms import refused_form
from observability.dashboard.page import Page, Toast, is_htmx
from observability.dashboard.problems import problem_of
from observability.dashboard.queries.access_cards import AccessCard, group_access, stream_access
from streams.bodies import read_stream_changes, read_stream_grant
from streams.lookup import StreamInfo, require_stream
from streams.models import Stream
from streams.queries import get_stream
from streams.services.grants import grant_stream, revoke_stream_grant
from streams.services.lifecycle import change_stream

FIELDS = {"/user": "whom", "/team": "whom", "/owner": "owner", "/rights": "rights", "/rights/0": "rights"}


class _Sharing(Page):
    """Gives, takes back or hands over, and answers with the card where that is refused."""

    def card_again(self, error: DomainError | ValidationError, card: AccessCard, whole: str) -> HttpResponse:
        """Answer a refused form with what was typed and what is wrong; without scripts with the refusal's own page.

        Args:
            whole: the field that a refusal belongs to which names none.
        """
        if not is_htmx(self.request):
            raise error
        values = self.request.POST.dict()
        form = refused_form(values, problem_of(error, self.request), FIELDS, whole=whole)
        chosen = self.request.POST.getlist("rights")
        context: dict[str, Any] = {"access": card, "form": form, "chosen": chosen, **self.addresses}
        return self.part("dashboard/_access.html", status=422, **context)

    @property
    def addresses(self) -> dict[str, str]:
        """Where the forms of the card go; its page is theirs without the last part."""
        return access_addresses(self.request.path.rpartition("/access")[0])


class StreamAccess(_Sharing):
    permission_classes = (MayManage,)

    def post(self, request: HttpRequest, stream: str) -> HttpResponse:
        row = get_stream(self.caller, stream, Right.MANAGE)
        try:
            wanted, rights = read_stream_grant(_given(request))
            grant, _ = grant_stream(stream=row, to=find_grantee(**wanted), rights=rights, caller=self.caller)
        except (DomainError, ValidationError) as error:
            return self.card_again(error, stream_access(self.caller, row), "whom")
        return self.done(_given_toast(grant), to=reverse("stream-settings", args=[row.name]))


class EndStreamGrant(Page):
    permission_classes = (MayManage,)

    def post(self, request: HttpRequest, stream: str, grant_id: str) -> HttpResponse:
        row = get_stream(self.caller, stream, Right.MANAGE)
        revoke_stream_grant(stream=row, grant_id=grant_id)
        return self.done(Toast("good", "The grant is taken back"), to=reverse("stream-settings", args=[row.name]))


class StreamOwner(_Sharing):
    permission_classes = (MayManage,)

    def post(self, request: HttpRequest, stream: str) -> HttpResponse:
        row = get_stream(self.caller, stream, Right.MANAGE)
        try:
            _, name = read_stream_changes({"owner": request.POST.get("owner", "").strip()})
            changes = new_owner_of(row, name=str(name), caller=self.caller)
            changed = change_stream(stream=row, changes=changes, now=timezone.now())
        except (DomainError, ValidationError) as error:
            return self.card_again(error, stream_access(self.caller, row), "owner")
        return self.done(
            Toast("good", f"{changed.name} belongs to {changed.owner_name}"), to=reverse("stream", args=[row.name])
        )


class GroupAccess(_Sharing):
    permission_classes = (MayConsume,)

    def post(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        info, found = _managed(self, stream, group)
        try:
            wanted, rights = read_group_grant(_given(request))
            grant, _ = grant_group(
                stream=info, group=found, to=find_grantee(**wanted), rights=rights, caller=self.caller
            )
        except (DomainError, ValidationError) as error:
            return self.card_again(error, group_access(self.caller, found), "whom")
        return self.done(_given_toast(grant), to=reverse("group-settings", args=[info.name, found.name]))


class EndGroupGrant(Page):
    permission_classes = (MayConsume,)

    def post(self, request: HttpRequest, stream: str, group: str, grant_id: str) -> HttpResponse:
        info, found = _managed(self, stream, group)
        revoke_group_grant(group=found, grant_id=grant_id)
        toast = Toast("good", "The grant is taken back")
        return self.done(toast, to=reverse("group-settings", args=[info.name, found.name]))


class GroupOwner(_Sharing):
    permission_classes = (MayConsume,)

    def post(self, request: HttpRequest, stream: str, group: str) -> HttpResponse:
        info, found = _managed(self, stream, group)
        try:
            _, name = read_group_changes({"owner": request.POST.get("owner", "").strip()})
            changed = change_group(group=found, changes=new_owner_of(found, name=str(name), caller=self.caller))
        except (DomainError, ValidationError) as error:
            return self.card_again(error, group_access(self.caller, found), "owner")
        toast = Toast("good", f"{changed.name} belongs to {changed.owner_name}")
        return self.done(toast, to=reverse("group", args=[info.name, found.name]))


def access_context(page: Page, thing: Stream | ConsumerGroup) -> dict[str, Any]:
    """Return what the card needs on the settings page of a stream or a group."""
    card = stream_access(page.caller, thing) if isinstance(thing, Stream) else group_access(page.caller, thing)
    base = page.request.path.removesuffix("/settings")
    return {"access": card, "chosen": (), **access_addresses(base)}


def access_addresses(base: str) -> dict[str, str]:
    return {"access_url": f"{base}/access", "owner_url": f"{base}/access/owner"}


def _managed(page: Page, stream: str, group: str) -> tuple[StreamInfo, ConsumerGroup]:
    info = require_stream(page.caller, stream, Right.CONSUME)
    return info, require_group(page.caller, info, group, GroupRight.MANAGE)


def _given(request: HttpRequest) -> dict[str, Any]:
    """What the form says, in the shape of the API's body."""
    whom = request.POST.get("whom", "").strip()
    return {"user" if "@" in whom else "team": whom, "rights": request.POST.getlist("rights")}


def _given_toast(grant: Any) -> Toast:
    return Toast("good", f"{grant.grantee} may {' and '.join(grant.rights)}")
