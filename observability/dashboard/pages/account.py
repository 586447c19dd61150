"""A person's own account: where they are signed in, the time zone of their pages, and their password."""

from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from accounts.errors import DomainError, InvalidParameter
from accounts.http.browser_sessions import follow_browser
from accounts.http.client_address import visitor_of
from accounts.permissions import PersonOnly
from accounts.queries import list_newest_sessions
from accounts.services.sessions import SESSION_ID, end_other_sessions, end_session
from accounts.services.sign_in import change_password
from accounts.services.users import choose_time_zone
from accounts.time_zones import zones_by_area
from observability.dashboard.forms import Form, refused_form
from observability.dashboard.page import Page, Toast
from observability.dashboard.problems import problem_of

FIELD_OF = {"wrong_password": "current_password", "weak_password": "new_password"}


class Account(Page):
    """The sessions of whoever looks at it, and the forms of their time zone and of another password."""

    section = "account"
    permission_classes = (PersonOnly,)
    template = "dashboard/account.html"

    def get(self, request: HttpRequest) -> HttpResponse:
        return self.answer(Form())

    def answer(self, form: Form, *, status: int = 200) -> HttpResponse:
        return self.whole(
            self.template,
            status=status,
            form=form,
            sessions=list_newest_sessions(self.user.pk, now=timezone.now()),
            current=self.request.session.get(SESSION_ID),
            zones=zones_by_area(),
            now=timezone.now(),
        )


class ChangePassword(Account):
    """Another password; this browser stays signed in, and nothing else does."""

    def get(self, request: HttpRequest) -> HttpResponse:
        # Whoever reloads the page of a refused form.
        return self.answer(Form())

    def post(self, request: HttpRequest) -> HttpResponse:
        given = {name: request.POST.get(name, "") for name in ("current_password", "new_password")}
        if request.POST.get("repeated") != given["new_password"]:
            return self.answer(Form(faults={"repeated": "The two are not the same."}), status=422)
        session_id = request.session.get(SESSION_ID)
        try:
            change_password(user=self.user, **given, session_id=session_id, visitor=visitor_of(request))
        except DomainError as error:
            problem = problem_of(error, request)
            field = FIELD_OF.get(problem.code, "")
            # Without the values: passwords are not shown again.
            return self.answer(refused_form({}, problem, {}, whole=field), status=problem.status)
        # For the password that was set here: the session ends with it, should there be another one by now.
        update_session_auth_hash(request, self.user)
        follow_browser(request)
        return self.done(Toast("good", "Your password is changed, and all other sessions have ended"), to=_here())


class ChooseTimeZone(Account):
    """The zone that times are shown in and understood in; none: that of the browser."""

    def post(self, request: HttpRequest) -> HttpResponse:
        chosen = request.POST.get("time_zone", "")
        try:
            choose_time_zone(user_id=self.user.pk, time_zone=chosen)
        except InvalidParameter as error:
            return self.answer(Form(faults={error.parameter: error.fault}), status=422)
        return self.done(Toast("good", f"Times are in {chosen or 'the zone of your browser'} now"), to=_here())


class EndSession(Page):
    permission_classes = (PersonOnly,)

    def post(self, request: HttpRequest, session_id: str) -> HttpResponse:
        end_session(user_id=self.user.pk, session_id=session_id, now=timezone.now())
        return self.done(Toast("good", "The session has ended"), to=_here())


class EndOtherSessions(Page):
    permission_classes = (PersonOnly,)

    def post(self, request: HttpRequest) -> HttpResponse:
        session_id = request.session.get(SESSION_ID)
        ended = end_other_sessions(user_id=self.user.pk, now=timezone.now(), except_id=session_id)
        return self.done(Toast("good", f"Other sessions that have ended: {ended}"), to=_here())


def _here() -> str:
    return reverse("account")
