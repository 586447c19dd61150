"""What every page has in common: who asks, may they, how a region renews itself, how a refusal looks."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, ClassVar

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views import View
from django_htmx.http import HttpResponseClientRedirect

from accounts.caller import Caller
from accounts.conf import SESSION_SEEN_INTERVAL_SECONDS
from accounts.http.client_address import visitor_of
from accounts.http.idempotent import check_idempotency_key
from accounts.models import User
from accounts.permissions import AnyCaller
from accounts.services.sessions import SESSION_ID, note_browser_seen
from accounts.short_memory import ShortMemory
from observability.dashboard.frame import frame_for
from observability.dashboard.kept_forms import keep_form
from observability.dashboard.problems import PageProblem, problem_of

VERSION_HEADER = "EventFlow-Version"
# For whom a page was opened that a script of ours asks from.
USER_HEADER = "EventFlow-User"
# What of a page is not of the session any more, so that it has to ask who is signed in: its user or its CSRF token.
OUTDATED_HEADER = "EventFlow-Outdated"
# Browsers that were noted as seen a moment ago need not be noted again.
_seen: ShortMemory[str, None] = ShortMemory(seconds=SESSION_SEEN_INTERVAL_SECONDS, size=10_000)


@dataclass(frozen=True, slots=True)
class Toast:
    """A short answer in the corner of the page; level is good, info, warn or bad."""

    level: str
    title: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class _Asking:
    """What the API's permissions look at."""

    user: Caller
    method: str


class Page(View):
    """A view for people: signed in, permitted as the API permits, and never left without an answer.

    Attributes:
        section: which entry of the navigation is the current one.
        permission_classes: the API's own; what depends on the stream, the domain calls decide.
        template: the whole page.
        region: the part of it that renews itself or is asked for alone; its element's id is `region`.
    """

    section: ClassVar[str] = ""
    permission_classes: ClassVar[Sequence[type[AnyCaller]]] = (AnyCaller,)
    template: ClassVar[str] = ""
    region: ClassVar[str] = ""
    caller: Caller
    user: User

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not isinstance(request.user, User):
            return _to_sign_in(request)
        self.user = request.user
        if request.headers.get(USER_HEADER, str(self.user.pk)) != str(self.user.pk):
            # Somebody else has signed in since the page was opened: what it asks for is not theirs.
            return HttpResponse(status=409, headers={OUTDATED_HEADER: "user"})
        try:
            self.caller = self.user.as_caller()
            _note_seen(request)
            for permission in self.permission_classes:
                permission().has_permission(_Asking(self.caller, str(request.method)), self)
            # What is rendered and what is typed is meant in the zone that this person chose.
            with timezone.override(self.user.zone or UTC):
                response = super().dispatch(request, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - the one place where any error becomes a page or a toast
            response = self.refuse(problem_of(error, request))
        patch_vary_headers(response, ("HX-Request", "HX-Target", "Cookie"))
        response.setdefault("Cache-Control", "private, no-store")
        return response

    # --- answers ---

    def show(self, **context: Any) -> HttpResponse:
        """Answer with the page, or with its region alone where that was asked for."""
        if self.region and self.is_part("region"):
            return self.part(self.region, **context)
        return self.whole(self.template, **context)

    def is_part(self, target: str) -> bool:
        """Whether a script asks for what belongs into the element of this id."""
        return bool(_htmx(self.request)) and _htmx(self.request).target == target

    def whole(self, template: str, *, status: int = 200, **context: Any) -> HttpResponse:
        frame = frame_for(self.user, self.caller, self.section)
        return render(self.request, template, {"frame": frame, "region": self.region, **context}, status=status)

    def part(self, template: str, *, toast: Toast | None = None, status: int = 200, **context: Any) -> HttpResponse:
        """Answer with a partial; 204 if it is what the asking region shows already."""
        body = render_to_string(template, context, self.request)
        version = hashlib.sha256(body.encode()).hexdigest()[:16]
        if toast is None and self.request.headers.get(VERSION_HEADER) == version:
            response = HttpResponse(status=204)
        else:
            response = HttpResponse(body, status=status)
        response[VERSION_HEADER] = version
        return say(response, toast) if toast else response

    def form_again(self, part: str, page: str, **context: Any) -> HttpResponse:
        """Answer a refused form with what was typed and what is wrong with it."""
        if _htmx(self.request):
            return self.part(part, status=422, **context)
        return self.whole(page, status=422, **context)

    def dialog(self, part: str, **context: Any) -> HttpResponse:
        """Answer with a question: a dialog for a script, a page of its own without one."""
        if _htmx(self.request):
            return self.part(part, **context)
        return self.whole("dashboard/question.html", dialog=part, **context)

    def done(self, toast: Toast, *, to: str, stay: bool = False) -> HttpResponse:
        """Answer a change that succeeded: go to `to`, or stay and let the page renew itself."""
        if _htmx(self.request):
            if not stay:
                remember_toast(self.request, toast)
                return HttpResponseClientRedirect(to)
            response = HttpResponse(status=204)
            return say(response, toast, **{"close-dialog": True, "refresh-live": True})
        remember_toast(self.request, toast)
        return HttpResponseRedirect(to)

    def refuse(self, problem: PageProblem) -> HttpResponse:
        """Answer a refusal: a toast for a script, a page for a person."""
        if _htmx(self.request):
            response = HttpResponse(status=problem.status)
            if problem.retry_after:
                response["Retry-After"] = problem.retry_after
            text = f"Request {problem.request_id}" if problem.is_ours else problem.detail
            # A live region that fails says so at its sign; a toast every two seconds would be noise.
            is_poll = VERSION_HEADER in self.request.headers
            return response if is_poll else say(response, Toast("bad", problem.title, text))
        return self.whole("dashboard/problem.html", status=problem.status, problem=problem)


def say(response: HttpResponse, toast: Toast, **events: Any) -> HttpResponse:
    """Have the page show a toast when it gets this answer; further events likewise."""
    named = {"toast": {"level": toast.level, "title": toast.title, "text": toast.text}, **events}
    response["HX-Trigger"] = json.dumps(named)
    return response


def remember_toast(request: HttpRequest, toast: Toast) -> None:
    """Have the next page show a toast."""
    from django.contrib import messages

    # A message is one text: its first line is the title.
    messages.add_message(request, messages.INFO, "\n".join((toast.title, toast.text)).strip(), extra_tags=toast.level)


def form_key(request: HttpRequest) -> str | None:
    """The submission's idempotency key: from the header, or without scripts from the form's own field.

    Raises:
        InvalidIdempotencyKey
    """
    key = request.headers.get("Idempotency-Key") or request.POST.get("idempotency_key")
    return check_idempotency_key(key) if key else None


def _note_seen(request: HttpRequest) -> None:
    session_id = request.session.get(SESSION_ID)
    if session_id:
        _seen.get(session_id, lambda: note_browser_seen(session_id, visitor=visitor_of(request), now=timezone.now()))


def _htmx(request: HttpRequest) -> Any:
    return request.htmx  # type: ignore[attr-defined]


def is_htmx(request: HttpRequest) -> bool:
    """Whether a script of ours asks, and wants a part."""
    return bool(_htmx(request))


def _to_sign_in(request: HttpRequest) -> HttpResponseBase:
    if _htmx(request):
        return HttpResponseClientRedirect(reverse("sign-in"))
    if request.POST:
        return ask_to_sign_in(request)
    return redirect_to_login(request.get_full_path(), reverse("sign-in"))


def ask_to_sign_in(request: HttpRequest) -> HttpResponse:
    """Answer a form that was sent without scripts with the sign-in, which keeps what was typed."""
    kept = keep_form(request)
    context = {"next": "", "kept": kept.pack() if kept else "", "is_lost": kept is None}
    response = render(request, "dashboard/sign_in.html", context, status=401)
    response["Cache-Control"] = "private, no-store"
    return response
