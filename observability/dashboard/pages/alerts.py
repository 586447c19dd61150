"""Alerts: what fires, what is watched, and where it is told."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from accounts.errors import DomainError
from accounts.permissions import PersonWithRole
from accounts.queries import find_owner, list_teams
from observability.alerts.bodies import read_new_channel, read_new_rule, read_rule_changes
from observability.alerts.channels import ask_for_test, create_channel, delete_channel
from observability.alerts.kinds import KINDS, Scope
from observability.alerts.queries import get_channel, get_rule, list_channels
from observability.alerts.rules import change_rule, create_rule, delete_rule
from observability.dashboard.forms import Form, number_or_text, refused_form
from observability.dashboard.listing import text_filter
from observability.dashboard.once import once
from observability.dashboard.page import Page, Toast, is_htmx
from observability.dashboard.problems import problem_of
from observability.dashboard.queries.alert_pages import get_alerts_page, view_channel, view_rule
from observability.models import AlertRule, ChannelKind, What

RULE_FIELDS = {
    f"/{name}": name for name in ("what", "stream", "group", "threshold", "for", "repeat", "channels", "owner")
}
CHANNEL_FIELDS = {f"/{name}": name for name in ("kind", "name", "url", "address", "owner")}
REPEATS = {
    "0": "never",
    "900": "every 15 minutes",
    "3600": "every hour",
    "21600": "every 6 hours",
    "86400": "every day",
}


class _AlertPage(Page):
    section = "alerts"
    permission_classes = (PersonWithRole,)


class Alerts(_AlertPage):
    """All three on one page: it is looked at when something is wrong."""

    template = "dashboard/alerts.html"
    region = "dashboard/_alerts.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.show(alerts=get_alerts_page(self.caller))


class NewRulePage(_AlertPage):
    def get(self, request: HttpRequest) -> HttpResponse:
        values = {
            "what": text_filter(request, "what") or What.DEAD_LETTERS.value,
            "stream": text_filter(request, "stream"),
            "group": text_filter(request, "group"),
            "threshold": "1",
            "for": "0",
            "repeat": "3600",
        }
        return self.dialog(
            "dashboard/_alert_rule_form.html", question="New alert rule", **self._context(Form(values), ())
        )

    @once()
    def post(self, request: HttpRequest) -> HttpResponse:
        values, chosen = request.POST.dict(), request.POST.getlist("channels")
        given = _rule_given(values, chosen) | {
            "what": values.get("what", ""),
            "stream": values.get("stream", "").strip() or None,
            "group": values.get("group", "").strip() or None,
        }
        try:
            new, owner = read_new_rule(given | _owner_given(values))
            owned_by = self.caller.principal if owner is None else find_owner(self.caller, owner)
            create_rule(caller=self.caller, owner=owned_by, new=new)
        except (DomainError, ValidationError) as error:
            form = refused_form(values, problem_of(error, request), RULE_FIELDS, whole="stream")
            return _again(self, "dashboard/_alert_rule_form.html", "New alert rule", self._context(form, tuple(chosen)))
        return self.done(Toast("good", "The rule is watched from now on"), to=reverse("alerts"))

    def _context(self, form: Form, chosen: tuple[str, ...]) -> dict[str, Any]:
        scopes = {scope.value for scope in Scope if scope is not Scope.INSTALLATION or self.caller.is_admin}
        return {
            "form": form,
            "kinds": [(what.value, what.label) for what in What if KINDS[what].scope.value in scopes],
            **_choices(self, chosen),
        }


class ChangeRule(_AlertPage):
    def get(self, request: HttpRequest, rule_id: str) -> HttpResponse:
        rule = get_rule(self.caller, rule_id)
        values = {
            "threshold": str(rule.threshold),
            "for": str(rule.for_seconds),
            "repeat": str(rule.repeat_seconds),
        }
        chosen = tuple(str(channel.pk) for channel in rule.channels.all())
        context = self._context(rule, Form(values), chosen)
        return self.dialog("dashboard/_alert_rule_form.html", question="Change an alert rule", **context)

    @once()
    def post(self, request: HttpRequest, rule_id: str) -> HttpResponse:
        rule = get_rule(self.caller, rule_id)
        values, chosen = request.POST.dict(), request.POST.getlist("channels")
        try:
            change_rule(caller=self.caller, rule=rule, changes=read_rule_changes(_rule_given(values, chosen)))
        except (DomainError, ValidationError) as error:
            form = refused_form(values, problem_of(error, request), RULE_FIELDS)
            context = self._context(rule, form, tuple(chosen))
            return _again(self, "dashboard/_alert_rule_form.html", "Change an alert rule", context)
        return self.done(Toast("good", "The rule is changed"), to=reverse("alerts"))

    def _context(self, rule: AlertRule, form: Form, chosen: tuple[str, ...]) -> dict[str, Any]:
        return {"form": form, "rule": view_rule(rule), **_choices(self, chosen)}


class PauseRule(_AlertPage):
    """Pauses a rule, or lets it go on."""

    def post(self, request: HttpRequest, rule_id: str) -> HttpResponse:
        rule = get_rule(self.caller, rule_id)
        # What the button said, whatever became of the rule since; a page from before that was sent says nothing.
        wanted = request.POST.get("paused")
        is_paused = wanted == "on" if wanted else not rule.is_paused
        change_rule(caller=self.caller, rule=rule, changes={"is_paused": is_paused})
        toast = Toast("good", "Nobody is told until you let it go on" if is_paused else "It is watched again")
        return self.done(toast, to=reverse("alerts"), stay=True)


class DeleteRule(_AlertPage):
    def get(self, request: HttpRequest, rule_id: str) -> HttpResponse:
        rule = view_rule(get_rule(self.caller, rule_id))
        return self.dialog("dashboard/_alert_delete.html", question="Delete an alert rule", rule=rule)

    def post(self, request: HttpRequest, rule_id: str) -> HttpResponse:
        delete_rule(rule=get_rule(self.caller, rule_id))
        return self.done(Toast("good", "The rule is deleted"), to=reverse("alerts"), stay=True)


class NewChannelPage(_AlertPage):
    """The form of a new channel; a webhook's answer shows the secret, this once."""

    def get(self, request: HttpRequest) -> HttpResponse:
        context = self._context(Form({"kind": ChannelKind.WEBHOOK.value, "address": self.caller.email}))
        return self.dialog("dashboard/_alert_channel_form.html", question="New alert channel", **context)

    @once(kept_part="dashboard/_alert_channel_made.html")
    def post(self, request: HttpRequest) -> HttpResponse:
        values = request.POST.dict()
        kind = values.get("kind", "")
        field = "address" if kind == ChannelKind.EMAIL else "url"
        given = {"kind": kind, "name": values.get("name", "").strip(), field: values.get(field, "").strip()}
        try:
            fields, owner = read_new_channel(given | _owner_given(values))
            owned_by = self.caller.principal if owner is None else find_owner(self.caller, owner)
            new = create_channel(caller=self.caller, owner=owned_by, **fields)
        except (DomainError, ValidationError) as error:
            form = refused_form(values, problem_of(error, request), CHANNEL_FIELDS, whole="name")
            return _again(self, "dashboard/_alert_channel_form.html", "New alert channel", self._context(form))
        context: dict[str, Any] = {"channel": view_channel(new.channel), "secret": new.secret}
        if is_htmx(request):
            response = self.part("dashboard/_alert_channel_secret.html", **context)
            response["HX-Trigger-After-Swap"] = "refresh-live"
            return response
        part = "dashboard/_alert_channel_secret.html"
        return self.whole("dashboard/question.html", dialog=part, question="The channel is ready", **context)

    def _context(self, form: Form) -> dict[str, Any]:
        return {"form": form, "kinds": ChannelKind.choices, "teams": _team_names(self)}


class TryChannel(_AlertPage):
    """Sends a test; how it went, the channel's row shows."""

    def post(self, request: HttpRequest, channel_id: str) -> HttpResponse:
        ask_for_test(caller=self.caller, channel=get_channel(self.caller, channel_id), now=timezone.now())
        toast = Toast("info", "The test goes out within seconds", "Its outcome is shown at the channel.")
        return self.done(toast, to=reverse("alerts"), stay=True)


class DeleteChannel(_AlertPage):
    def get(self, request: HttpRequest, channel_id: str) -> HttpResponse:
        channel = view_channel(get_channel(self.caller, channel_id))
        return self.dialog("dashboard/_alert_delete.html", question="Delete an alert channel", channel=channel)

    def post(self, request: HttpRequest, channel_id: str) -> HttpResponse:
        delete_channel(channel=get_channel(self.caller, channel_id))
        return self.done(Toast("good", "The channel is deleted"), to=reverse("alerts"), stay=True)


def _again(page: Page, part: str, question: str, context: dict[str, Any]) -> HttpResponse:
    """Answer a refused form of a dialog with what was typed and what is wrong with it."""
    if is_htmx(page.request):
        return page.part(part, status=422, **context)
    return page.whole("dashboard/question.html", status=422, dialog=part, question=question, **context)


def _choices(page: Page, chosen: tuple[str, ...]) -> dict[str, Any]:
    return {
        "channels": [(str(channel.pk), view_channel(channel)) for channel in list_channels(page.caller)[:200]],
        "chosen": chosen,
        "repeats": REPEATS.items(),
        "teams": _team_names(page),
    }


def _team_names(page: Page) -> list[str]:
    return list(list_teams(page.caller).prefetch_related(None).order_by("name").values_list("name", flat=True)[:200])


def _owner_given(values: dict[str, str]) -> dict[str, str]:
    return {"owner": values["owner"]} if values.get("owner") else {}


def _rule_given(values: dict[str, str], channels: list[str]) -> dict[str, Any]:
    return {
        "threshold": number_or_text(values.get("threshold", "")),
        "for": number_or_text(values.get("for", "") or "0"),
        "repeat": number_or_text(values.get("repeat", "") or "0"),
        "channels": [number_or_text(each) for each in channels],
    }
