import functools
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from accounts.errors import QuotaExceeded


class EventFlowAdminSite(AdminSite):
    """The admin with EventFlow's name on it and a way back to the dashboard."""

    site_header = "EventFlow"
    site_title = "EventFlow admin"
    index_title = "Administration"
    site_url = "/"
    enable_nav_sidebar = True

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:  # noqa: FBT001, FBT002 (Django's)
        """Refuse NUL where Django hands text on to PostgreSQL, which has no such character; tell of a full quota."""
        guarded = super().admin_view(view, cacheable)

        @functools.wraps(view)
        def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            chosen = request.POST.getlist(ACTION_CHECKBOX_NAME) if request.method == "POST" else []
            values = [value for values in dict(request.GET.lists()).values() for value in values]
            if any("\x00" in value for value in (*values, *chosen)):
                raise BadRequest("Text must not contain NUL.")
            _check_chosen(getattr(view, "__self__", None), chosen)
            try:
                return guarded(request, *args, **kwargs)
            except QuotaExceeded as error:
                messages.error(request, error.detail)
                return HttpResponseRedirect(request.get_full_path())

        return answer

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Lead to the one sign-in page: it counts tries, and knows what else to say."""
        wanted = request.GET.get(REDIRECT_FIELD_NAME) or reverse("admin:index")
        if self.has_permission(request):
            return HttpResponseRedirect(reverse("admin:index"))
        if request.user.is_authenticated:
            raise PermissionDenied("This needs the admin role.")
        return HttpResponseRedirect(f"{reverse('sign-in')}?{urlencode({REDIRECT_FIELD_NAME: wanted})}")

    def password_change(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:  # type: ignore[override]
        """Lead to the one page for that: it limits guesses, and ends the other sessions."""
        return HttpResponseRedirect(reverse("account"))


def _check_chosen(model_admin: Any, chosen: list[str]) -> None:
    """Refuse rows that are chosen by what cannot be their key: the database would be asked for them."""
    if not isinstance(model_admin, ModelAdmin):
        return
    key: Any = model_admin.opts.pk
    try:
        for value in chosen:
            key.run_validators(key.to_python(value))
    except ValidationError as error:
        raise BadRequest("There is no such row.") from error
