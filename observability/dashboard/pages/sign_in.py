"""Signing in and out of the dashboard: the API's rules, with a session instead of tokens."""

import json
from typing import Any, cast

from django.conf import settings
from django.contrib.auth import login, logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import get_token
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect

from accounts.errors import InvalidCredentials, LoginThrottled
from accounts.http.client_address import visitor_of
from accounts.models import User
from accounts.services.authenticate_browser import forget_browsers
from accounts.services.sessions import SESSION_ID, end_if_open, open_browser_session
from accounts.services.sign_in import check_password
from observability.dashboard.kept_forms import KeptForm, keep_form, unpack_form
from observability.dashboard.page import OUTDATED_HEADER, ask_to_sign_in, is_htmx
from observability.dashboard.problems import problem_of

# A day's work, and no longer: what was typed stands in the page, not with us.
KEPT_SECONDS = 12 * 3600
BACKEND = "django.contrib.auth.backends.ModelBackend"


@method_decorator([never_cache, csrf_protect], name="dispatch")
class SignIn(View):
    """E-mail address and password; what is wrong is said plainly, too many tries are throttled."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            if is_htmx(request):
                return _signed_in(request)
            return HttpResponseRedirect(_destination(request))
        return self._form(request)

    def post(self, request: HttpRequest) -> HttpResponse:
        email, password = request.POST.get("email", ""), request.POST.get("password", "")
        visitor = visitor_of(request)
        try:
            user = check_password(email=email, password=password, client_address=visitor.address)
        except (InvalidCredentials, LoginThrottled) as error:
            problem = problem_of(error, request)
            response = self._form(request, status=problem.status, problem=problem, email=email[:254])
            if problem.retry_after:
                response["Retry-After"] = problem.retry_after
            return response
        login(request, user, backend=BACKEND)
        # It has a key only when it is saved.
        request.session.save()
        session = open_browser_session(
            user,
            browser_key=str(request.session.session_key),
            expires_at=request.session.get_expiry_date(),
            visitor=visitor,
            now=timezone.now(),
            replaces=request.session.get(SESSION_ID),
        )
        request.session[SESSION_ID] = session.pk
        if is_htmx(request):
            return _signed_in(request)
        if kept := unpack_form(request.POST.get("kept", ""), seconds=KEPT_SECONDS):
            return _send_it(request, kept, "You are signed in", "What you typed before has not been sent yet.")
        return HttpResponseRedirect(_destination(request))

    def _form(self, request: HttpRequest, *, status: int = 200, **context: Any) -> HttpResponse:
        if is_htmx(request):
            # Over a page, whose script puts in again what is refused as what cannot be accepted.
            status = 422 if status != 200 else status
            return render(request, "dashboard/_sign_in_dialog.html", context, status=status)
        context["next"] = request.POST.get("next") or request.GET.get("next") or ""
        context["kept"] = request.POST.get("kept", "")
        return render(request, "dashboard/sign_in.html", context, status=status)


def _signed_in(request: HttpRequest) -> HttpResponse:
    """Tell the page over which somebody signed in who it was, and the token that its forms need now."""
    user = cast("User", request.user)
    told = {"user": str(user.pk), "name": user.email, "csrf": get_token(request)}
    return HttpResponse(status=204, headers={"HX-Trigger": json.dumps({"signed-in": told})})


def outdated_token(request: HttpRequest, **_reason: str) -> HttpResponse:
    """Answer a form whose CSRF token is outdated: most often somebody has signed in again in another tab.

    What was typed is shown to be sent again only if our own page sent it, which no other site can pretend.
    """
    if is_htmx(request):
        return HttpResponse(status=403, headers={OUTDATED_HEADER: "token"})
    ours = (f"{request.scheme}://{request.get_host()}", *settings.CSRF_TRUSTED_ORIGINS)
    is_from_here = request.headers.get("Origin") in ours
    if is_from_here and not request.user.is_authenticated and request.path != reverse("sign-in"):
        return ask_to_sign_in(request)
    kept = keep_form(request) if is_from_here else None
    told = "Nothing was done: the page is from before the last sign-in in this browser, or cookies are not allowed."
    if kept is None:
        told += " Go back, open it anew, and send it again."
    return _send_it(request, kept, "This page is out of date", told, status=403)


def _send_it(
    request: HttpRequest, kept: KeptForm | None, title: str, reason: str, *, status: int = 200
) -> HttpResponse:
    email = request.user.email if isinstance(request.user, User) else ""
    context = {"kept": kept, "title": title, "reason": reason, "email": email}
    response = render(request, "dashboard/kept_form.html", context, status=status)
    response["Cache-Control"] = "private, no-store"
    return response


class SignOut(View):
    """Ends the session; a POST, so that no link can do it."""

    def post(self, request: HttpRequest) -> HttpResponse:
        if isinstance(request.user, User):
            session_id = request.session.get(SESSION_ID)
            end_if_open(user_id=request.user.pk, session_id=session_id, now=timezone.now())
        logout(request)
        # What follows a stream with the session ends.
        forget_browsers()
        return HttpResponseRedirect(reverse("sign-in"))


def _destination(request: HttpRequest) -> str:
    """Where to go after signing in; never to another site."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_safe = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if is_safe else reverse("overview")
