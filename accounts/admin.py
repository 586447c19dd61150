"""Users and keys in the admin."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.cache import add_never_cache_headers

from accounts.addresses import read_network
from accounts.audit_actions import AuditAction
from accounts.http.browser_sessions import follow_browser
from accounts.models import ApiKey, AuditEntry, Team, User
from accounts.names import NAME_PATTERN, is_well_formed
from accounts.roles import MEANING_OF_ROLE, MEANING_OF_SCOPE, Scope
from accounts.services.api_keys import create_api_key, find_key_faults, revoke_api_key
from accounts.services.audit import record
from accounts.services.remembered_callers import forget_callers_on_commit
from accounts.services.sessions import SESSION_ID, end_sessions
from accounts.services.teams import delete_team, hold_team
from accounts.services.users import disable_users
from accounts.version_forms import VersionedForm

admin.site.unregister(Group)
admin.site.disable_action("delete_selected")


class _WithEmail:
    """A form that takes an address however it is typed, as the sign-in does, and keeps it in lower case."""

    cleaned_data: dict[str, Any]

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).lower()


class CreateUserForm(_WithEmail, AdminUserCreationForm):
    class Meta:
        model = User
        fields = ("email",)


class ChangeUserForm(_WithEmail, UserChangeForm):
    class Meta:
        model = User
        fields = "__all__"


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    form = ChangeUserForm
    add_form = CreateUserForm
    ordering = ("email",)
    list_display = ("email", "name", "role_names", "is_active", "last_login", "created_at")
    list_filter = ("is_active", "groups")
    search_fields = ("email", "name")
    filter_horizontal = ("groups",)
    readonly_fields = ("last_login", "created_at")
    fieldsets = (
        (None, {"fields": ("email", "password", "name")}),
        ("Rights", {"fields": ("is_active", "groups")}),
        ("Times", {"fields": ("last_login", "created_at")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "name", "usable_password", "password1", "password2", "groups")}),)
    actions = ("disable",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if db_field.name == "groups" and field is not None:
            field.label = "Roles"
            field.help_text = " · ".join(f"{role}: {meaning}" for role, meaning in MEANING_OF_ROLE.items())
        return field

    @admin.display(description="roles")
    def role_names(self, user: User) -> str:
        return ", ".join(sorted(user.roles)) or "none"

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Their streams and the trail of what they did stay: users are disabled, not deleted.
        return False

    def save_model(self, request: HttpRequest, user: User, form: Any, change: bool) -> None:  # noqa: FBT001 (Django's)
        if not change:
            super().save_model(request, user, form, change)
            return
        # As the database has it: the form's own instance is changed already.
        form.before = _told(User.objects.get(pk=user.pk))
        # And nothing else: what somebody changed since the form was read, such as the password, stays.
        user.save(update_fields=[name for name in form.changed_data if name != "groups"])

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: Any) -> None:
        user: User = form.instance
        super().save_related(request, form, formsets, change)
        # Anew: the form's own instance may remember its roles.
        after = _told(User.objects.get(pk=user.pk)) | {"changed": form.changed_data}
        record(
            AuditAction.USER_CHANGED if change else AuditAction.USER_CREATED,
            target=user.email,
            before=form.before if change else None,
            after=after,
        )
        forget_callers_on_commit()

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002 (Django's)
        if request.method != "POST":
            return super().user_change_password(request, id, form_url)
        user = self.get_object(request, unquote(id))
        with transaction.atomic():
            response = super().user_change_password(request, id, form_url)
            # A form that contradicts itself is answered in the same way as one that was done.
            now_stored = User.objects.get(pk=user.pk).password if user else ""
            if user and now_stored != user.password:
                record(AuditAction.PASSWORD_CHANGED, target=user.email)
                # Their tokens carry the old password's stamp and are refused anyhow; this takes them off the list.
                end_sessions(user_id=user.pk, now=timezone.now(), except_id=request.session.get(SESSION_ID))
                # Django gives the browser of whoever does this another key, whosever password it is.
                follow_browser(request)
        return response

    @admin.action(description="Disable: refuse their keys and tokens at once")
    def disable(self, request: HttpRequest, users: QuerySet[User]) -> None:
        disabled = disable_users(users.exclude(pk=str(request.user.pk)))
        self.message_user(request, f"{disabled} users disabled.", messages.SUCCESS)


def _told(user: User) -> dict[str, Any]:
    """What the trail says of a user."""
    return {"email": user.email, "roles": sorted(user.roles), "is_active": user.is_active, "name": user.name}


@admin.register(AuditEntry)
class AuditEntryAdmin(admin.ModelAdmin):
    list_display = ("at", "action", "actor_email", "actor", "address", "stream", "group", "target", "was_refused")
    list_filter = ("action", "was_refused")
    search_fields = ("actor_email", "actor", "stream", "group", "target", "request_id")
    date_hierarchy = "at"
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class TeamForm(VersionedForm):
    hold = hold_team

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"])
        if not is_well_formed(name):
            raise forms.ValidationError(f"The name of a team matches {NAME_PATTERN}.")
        return name

    class Meta:
        model = Team
        exclude: tuple[str, ...] = ()


@admin.register(Team)
class TeamAdmin(admin.ModelAdmin):
    form = TeamForm
    list_display = ("name", "description", "member_count", "created_at")
    search_fields = ("name", "description")
    filter_horizontal = ("members",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Team]:
        return super().get_queryset(request).annotate(member_count=Count("members"))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        # Others refer to it.
        return ("name",) if obj else ()

    @admin.display(description="members", ordering="member_count")
    def member_count(self, team: Any) -> int:
        return int(team.member_count)

    def save_model(self, request: HttpRequest, team: Team, form: Any, change: bool) -> None:  # noqa: FBT001 (Django's)
        # Before it is overwritten.
        form.before = _told_of_team(team) if change else None
        super().save_model(request, team, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: Any) -> None:
        team: Team = form.instance
        super().save_related(request, form, formsets, change)
        action = AuditAction.TEAM_CHANGED if change else AuditAction.TEAM_CREATED
        record(action, target=team.name, before=form.before if change else None, after=_told_of_team(team))
        forget_callers_on_commit()

    def delete_model(self, request: HttpRequest, team: Team) -> None:
        delete_team(team=team)

    def delete_queryset(self, request: HttpRequest, teams: QuerySet[Team]) -> None:
        for team in teams:
            delete_team(team=team)


def _told_of_team(team: Team) -> dict[str, Any]:
    """What the trail says of a team, as the database has it."""
    stored = Team.objects.get(pk=team.pk)
    members = sorted(stored.members.values_list("email", flat=True))
    return {"description": stored.description, "members": members}


class ApiKeyForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(
        choices=[(scope.value, f"{scope}: {meaning}") for scope, meaning in MEANING_OF_SCOPE.items()],
        widget=forms.CheckboxSelectMultiple,
    )

    class Meta:
        model = ApiKey
        fields = ("user", "name", "scopes", "stream_names", "addresses", "expires_at")

    def clean_stream_names(self) -> list[str] | None:
        names = self.cleaned_data["stream_names"] or []
        if wrong := [name for name in names if not is_well_formed(name)]:
            raise forms.ValidationError(f"Not the name of a stream: {wrong[0][:60]}")
        # None is every stream; no stream at all would be a key that can do nothing.
        return names or None

    def clean_addresses(self) -> list[str] | None:
        texts = self.cleaned_data["addresses"] or []
        if wrong := [text for text in texts if read_network(text) is None]:
            raise forms.ValidationError(f"Not an address, nor a network whose mask fits: {wrong[0][:60]}")
        return [str(read_network(text)) for text in texts] or None

    def clean_expires_at(self) -> datetime | None:
        expires_at: datetime | None = self.cleaned_data["expires_at"]
        if expires_at is not None and expires_at <= timezone.now():
            raise forms.ValidationError("Must be in the future.")
        return expires_at

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if {"user", "scopes"} <= cleaned.keys():
            faults = find_key_faults(
                user=cleaned["user"],
                scopes=[Scope(scope) for scope in cleaned["scopes"]],
                stream_names=cleaned.get("stream_names") or (),
            )
            for fault in faults:
                self.add_error("scopes" if fault.pointer.startswith("/scopes/") else "stream_names", fault.detail)
        return cleaned


USE_FIELDS = ("last_used_at", "last_used_address", "last_used_agent", "touched_lately")


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin):
    form = ApiKeyForm
    list_display = ("name", "prefix", "user", "scope_names", "last_used_at", "expires_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter), ("expires_at", admin.EmptyFieldListFilter))
    list_select_related = ("user",)
    search_fields = ("name", "prefix", "user__email")
    autocomplete_fields = ("user",)
    fields = (
        "user",
        "name",
        "scopes",
        "stream_names",
        "addresses",
        "expires_at",
        "prefix",
        "created_at",
        *USE_FIELDS,
        "revoked_at",
    )
    readonly_fields = ("prefix", "created_at", *USE_FIELDS, "revoked_at")
    actions = ("revoke",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        return super().get_queryset(request).prefetch_related("user__groups")

    @admin.display(description="scopes")
    def scope_names(self, key: ApiKey) -> str:
        return ", ".join(key.usable_scopes) or "none that its user's roles allow"

    @admin.display(description="touched lately")
    def touched_lately(self, key: ApiKey) -> str:
        places = (f"{each['stream']}/{each['group']}" if each["group"] else each["stream"] for each in key.touched)
        return ", ".join(places) or "nothing"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # What a key may do is fixed when it is made; afterwards it is rotated or revoked.
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, key: ApiKey, form: Any, change: bool) -> None:  # noqa: FBT001 (Django's)
        new = create_api_key(
            user=key.user,
            name=key.name,
            scopes=[Scope(scope) for scope in key.scopes],
            stream_names=key.stream_names,
            expires_at=key.expires_at,
            addresses=key.addresses,
        )
        key.key_id, key.prefix = new.key.key_id, new.key.prefix
        key.secret = new.secret  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        # In the answer itself, and nowhere else: a message would travel in a cookie, and stay there until it is shown.
        context = {**self.admin_site.each_context(request), "title": "The key was made", "key": obj, "opts": self.opts}
        response = TemplateResponse(request, "admin/api_key_made.html", context)
        add_never_cache_headers(response)
        return response

    @admin.action(description="Revoke: refuse within a second")
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> TemplateResponse | None:
        """Show which they are and what uses them; with the confirmation, do it."""
        keys = list(chosen.filter(revoked_at=None))
        if "confirmed" not in request.POST:
            context = {
                **self.admin_site.each_context(request),
                "title": f"Revoke {_keys_in_words(len(keys))}?",
                "opts": self.opts,
                "keys": keys,
                "action_checkbox_name": ACTION_CHECKBOX_NAME,
            }
            return TemplateResponse(request, "admin/accounts/apikey/confirm.html", context)
        now = timezone.now()
        for key in keys:
            revoke_api_key(key=key, now=now)
        self.message_user(request, f"{_keys_in_words(len(keys))} revoked.", messages.SUCCESS)
        return None


def _keys_in_words(count: int) -> str:
    return "1 key" if count == 1 else f"{count} keys"
