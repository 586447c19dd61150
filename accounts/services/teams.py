"""Making teams, and saying who belongs to them."""

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from accounts.audit_actions import AuditAction
from accounts.conf import MAX_TEAM_MEMBERS
from accounts.errors import TeamExists, TeamOwns, TooManyMembers
from accounts.models import Team, User
from accounts.services.audit import changed, record
from accounts.services.authenticate_key import forget_keys


def create_team(*, name: str, description: str = "") -> Team:
    """Make a team without members.

    Raises:
        TeamExists
    """
    try:
        with transaction.atomic():
            team = Team.objects.create(name=name, description=description)
            record(AuditAction.TEAM_CREATED, target=name, after={"description": description})
            return team
    except IntegrityError as error:
        raise TeamExists(f"A team named {name} exists already.") from error


@transaction.atomic
def describe_team(*, team: Team, description: str) -> Team:
    """Say anew what a team is for; its name stays, as others refer to it."""
    before, after = changed(team, {"description": description})
    record(AuditAction.TEAM_CHANGED, target=team.name, before=before, after=after)
    team.description = description
    team.save(update_fields=["description"])
    return team


def delete_team(*, team: Team) -> None:
    """Delete a team with all that was granted to it.

    Raises:
        TeamOwns: it has streams or consumer groups.
    """
    try:
        with transaction.atomic():
            members = sorted(team.members.values_list("email", flat=True))
            team.delete()
            record(AuditAction.TEAM_DELETED, target=team.name, before={"members": members})
    except ProtectedError as error:
        owned = sorted({str(thing) for thing in error.protected_objects})
        more = f" and {len(owned) - 5} more" if len(owned) > 5 else ""
        raise TeamOwns(f"{team.name} owns {', '.join(owned[:5])}{more}.") from error
    forget_keys()


@transaction.atomic
def add_member(*, team: Team, user: User) -> None:
    """Make a user a member; a second time is harmless.

    Raises:
        TooManyMembers
    """
    members = team.members.exclude(pk=user.pk)
    if members.count() >= MAX_TEAM_MEMBERS:
        raise TooManyMembers(f"{team.name} has {MAX_TEAM_MEMBERS} members.")
    if not team.members.filter(pk=user.pk).exists():
        team.members.add(user)
        record(AuditAction.MEMBER_ADDED, target=team.name, after={"member": user.email})
    transaction.on_commit(forget_keys)


@transaction.atomic
def remove_member(*, team: Team, email: str) -> None:
    """Take a user out of a team, with all that they could do through it; who is none is harmless."""
    for member in team.members.filter(email=email.strip().lower()):
        team.members.remove(member)
        record(AuditAction.MEMBER_REMOVED, target=team.name, before={"member": member.email})
    transaction.on_commit(forget_keys)
