"""For whom a rule looks: its owner, with the rights that they have at this moment."""

from collections.abc import Iterable

from django.db.models import Prefetch

from accounts.caller import Caller
from accounts.models import Team, User
from accounts.principals import Principal
from accounts.roles import Role
from observability.models import AlertRule


def callers_of(rules: Iterable[AlertRule]) -> dict[Principal, Caller]:
    """Return who looks for each owner of these rules; who was disabled is not among them.

    A team looks with the roles that its active members have, but never as an admin: it sees what it owns, what it was
    granted, and internal streams if one of its members may read these.
    """
    owners = {rule.owned_by for rule in rules}
    users = User.objects.filter(pk__in=[owner.user_id for owner in owners if owner.user_id], is_active=True)
    callers = {
        Principal(user_id=user.pk): Caller(
            user_id=user.pk,
            email=user.email,
            roles=user.roles,
            team_ids=frozenset(team.pk for team in user.teams.all()),
        )
        for user in users.prefetch_related("groups", "teams")
    }
    members = Prefetch("members", User.objects.filter(is_active=True).prefetch_related("groups"))
    for team in Team.objects.filter(pk__in=[owner.team_id for owner in owners if owner.team_id]).prefetch_related(
        members
    ):
        roles = frozenset().union(*(user.roles for user in team.members.all())) - {Role.ADMIN}
        # No user has this id.
        caller = Caller(user_id=0, email=team.name, roles=roles, team_ids=frozenset({team.pk}))
        callers[Principal(team_id=team.pk)] = caller
    return callers


def may_use_channel(caller: Caller, owner: Principal, channel_owner: Principal) -> bool:
    """Whether the rules of `owner` may send to a channel: their own, or a team's of which the user is a member."""
    return channel_owner == owner or (owner.team_id is None and channel_owner.includes(caller))
