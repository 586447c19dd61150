"""Questions about users, their sessions and keys."""

from datetime import datetime

from django.contrib.sessions.models import Session
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts.caller import Caller
from accounts.errors import ApiKeyNotFound, ScopeMissing, TeamNotFound, UnknownTeam, UserNotFound
from accounts.models import ApiKey, Team, User, UserSession
from accounts.principals import Principal


def list_api_keys(caller: Caller) -> QuerySet[ApiKey]:
    """The keys that a caller may see: their own, or all for an admin; a key sees itself."""
    keys = ApiKey.objects.select_related("user").prefetch_related("user__groups")
    if caller.sees_everybody:
        return keys
    return keys.filter(user_id=caller.user_id) if caller.key_id is None else keys.filter(pk=caller.key_id)


def get_api_key(caller: Caller, key_id: str) -> ApiKey:
    """Return one of the keys that the caller may see.

    Raises:
        ApiKeyNotFound: missing or somebody else's: the two look the same.
    """
    key = list_api_keys(caller).filter(pk=key_id).first() if "\x00" not in key_id else None
    if key is None:
        raise ApiKeyNotFound("There is no such API key, or you may not see it.")
    return key


def list_sessions(user_id: int, *, now: datetime) -> QuerySet[UserSession]:
    """The sessions of a user that have not ended; of a browser's, Django's own row is the truth."""
    browsers = Session.objects.filter(session_key=OuterRef("browser_key"), expire_date__gt=now)
    is_open = Q(kind=UserSession.Kind.TOKENS, expires_at__gt=now) | Q(Exists(browsers), kind=UserSession.Kind.BROWSER)
    return UserSession.objects.filter(is_open, user_id=user_id, ended_at__isnull=True)


def list_newest_sessions(user_id: int, *, now: datetime, limit: int = 100) -> list[UserSession]:
    """Return the open sessions of a user that were seen last."""
    return list(list_sessions(user_id, now=now).order_by("-last_seen_at", "pk")[:limit])


def get_user_of(caller: Caller) -> User:
    """Return the user behind a caller."""
    return User.objects.get(pk=caller.user_id)


def get_user_by_email(caller: Caller, email: str) -> User:
    """Return an active user whom the caller may name: themselves, or for an admin anybody.

    Raises:
        ScopeMissing: somebody else was named, whether there is such a user or not.
        UserNotFound
    """
    email = email.strip().lower()
    if email != caller.email and not caller.sees_everybody:
        raise ScopeMissing("Only an admin can name somebody else.")
    user = User.objects.filter(email=email, is_active=True).first()
    if user is None:
        raise UserNotFound("There is no active user with this e-mail address.")
    return user


def list_teams(caller: Caller) -> QuerySet[Team]:
    """The teams that a caller may see: their own, or all for an admin; with the members, where these may be seen."""
    teams = Team.objects.prefetch_related("members") if caller.sees_members else Team.objects.all()
    return teams if caller.sees_everybody else teams.filter(pk__in=caller.team_ids)


def get_team(caller: Caller, name: str) -> Team:
    """Return a team by name.

    Raises:
        TeamNotFound: missing, or the caller is not a member: the two look the same.
    """
    team = list_teams(caller).filter(name=name).first() if "\x00" not in name else None
    if team is None:
        raise TeamNotFound
    return team


def find_owner(caller: Caller, name: str) -> Principal:
    """Return who is named as an owner: an e-mail address is a user, everything else a team.

    Who is no admin may name themselves and their own teams.

    Raises:
        ScopeMissing, UserNotFound, UnknownTeam
    """
    if "@" in name:
        return Principal(user_id=get_user_by_email(caller, name).pk)
    team = list_teams(caller).filter(name=name).first()
    if team is None:
        raise UnknownTeam
    return Principal(team_id=team.pk)


def find_grantee(*, user: str | None, team: str | None) -> User | Team:
    """Return who is to be given a right: an active user by e-mail address, or a team by name.

    Whoever may give rights may name every colleague; that says no more than that they exist.

    Raises:
        UserNotFound, UnknownTeam
    """
    if user is not None:
        found = User.objects.filter(email=user.strip().lower(), is_active=True).first()
        if found is None:
            raise UserNotFound("There is no active user with this e-mail address.")
        return found
    named = Team.objects.filter(name=team).first()
    if named is None:
        raise UnknownTeam
    return named
