"""Making teams, and saying who belongs to them."""

from collections.abc import Callable, Collection, Mapping
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from accounts.audit_actions import AuditAction
from accounts.conf import MAX_TEAM_MEMBERS
from accounts.errors import TeamExists, TeamNotFound, TeamOwns, TooManyMembers, UserNotFound
from accounts.models import Team, User
from accounts.services.audit import changed, record
from accounts.services.remembered_callers import forget_callers_on_commit
from accounts.services.versions import check_version

# Called in the transaction that deletes a team, before it: what was granted to it goes with it, and is told of where it
# was granted.
before_deletion: Final[list[Callable[[Team], None]]] = []


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
def change_team(*, team: Team, changes: Mapping[str, str], expected: Collection[str] | None = None) -> Team:
    """Say anew what a team is for, if it has one of the expected versions; its name stays, as others refer to it.

    Args:
        changes: its `description`; without it nothing is changed.

    Raises:
        PreconditionFailed, TeamNotFound
    """
    team = hold_team(team, expected)
    before, after = changed(team, changes)
    if after:
        record(AuditAction.TEAM_CHANGED, target=team.name, before=before, after=after)
        for name, value in changes.items():
            setattr(team, name, value)
        team.save(update_fields=list(changes))
    return team


def hold_team(team: Team, expected: Collection[str] | None) -> Team:
    """Return a team as it is now, and let nobody change it or its members until the end of this transaction.

    Raises:
        PreconditionFailed: it has none of the expected versions.
        TeamNotFound: it was deleted meanwhile.
    """
    held = Team.objects.select_for_update(no_key=True).filter(pk=team.pk).first()
    if held is None:
        raise TeamNotFound
    check_version(held, expected)
    return held


def delete_team(*, team: Team, expected: Collection[str] | None = None) -> None:
    """Delete a team with all that was granted to it, if it has one of the expected versions.

    Raises:
        PreconditionFailed, TeamNotFound
        TeamOwns: it has streams or consumer groups.
    """
    try:
        with transaction.atomic():
            team = hold_team(team, expected)
            members = sorted(team.members.values_list("email", flat=True))
            for tell in before_deletion:
                tell(team)
            team.delete()
            record(AuditAction.TEAM_DELETED, target=team.name, before={"members": members})
            forget_callers_on_commit()
    except ProtectedError as error:
        owned = sorted({str(thing) for thing in error.protected_objects})
        more = f" and {len(owned) - 5} more" if len(owned) > 5 else ""
        raise TeamOwns(f"{team.name} owns {', '.join(owned[:5])}{more}.") from error


@transaction.atomic
def add_member(*, team: Team, user: User) -> None:
    """Make a user a member; a second time is harmless.

    Raises:
        TooManyMembers
    """
    team = hold_team(team, None)
    members = team.members.exclude(pk=user.pk)
    if members.count() >= MAX_TEAM_MEMBERS:
        raise TooManyMembers(f"{team.name} has {MAX_TEAM_MEMBERS} members.")
    if not team.members.filter(pk=user.pk).exists():
        team.members.add(user)
        record(AuditAction.MEMBER_ADDED, target=team.name, after={"member": user.email})
    forget_callers_on_commit()


@transaction.atomic
def remove_member(*, team: Team, email: str) -> None:
    """Take a user out of a team, with all that they could do through it; who is no member is harmless.

    Raises:
        UserNotFound: nobody has this address, so that whoever was meant would stay.
    """
    email = email.strip().lower()
    if "\x00" in email or not User.objects.filter(email=email).exists():
        raise UserNotFound("There is no user with this e-mail address.")
    team = hold_team(team, None)
    for member in team.members.filter(email=email):
        team.members.remove(member)
        record(AuditAction.MEMBER_REMOVED, target=team.name, before={"member": member.email})
    forget_callers_on_commit()
