"""Making teams, and saying who belongs to them."""

from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from accounts.conf import MAX_TEAM_MEMBERS
from accounts.errors import TeamExists, TeamOwns, TooManyMembers
from accounts.models import Team, User
from accounts.services.authenticate_key import forget_keys


def create_team(*, name: str, description: str = "") -> Team:
    """Make a team without members.

    Raises:
        TeamExists
    """
    try:
        with transaction.atomic():
            return Team.objects.create(name=name, description=description)
    except IntegrityError as error:
        raise TeamExists(f"A team named {name} exists already.") from error


def describe_team(*, team: Team, description: str) -> Team:
    """Say anew what a team is for; its name stays, as others refer to it."""
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
            team.delete()
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
    team.members.add(user)
    transaction.on_commit(forget_keys)


@transaction.atomic
def remove_member(*, team: Team, email: str) -> None:
    """Take a user out of a team, with all that they could do through it; who is none is harmless."""
    team.members.remove(*team.members.filter(email=email.strip().lower()))
    transaction.on_commit(forget_keys)
