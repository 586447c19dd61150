"""Teams, and what all that can be owned and granted has in common, in the database."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.names import NAME_PATTERN
from accounts.principals import Principal
from accounts.versions import fingerprint


class Team(models.Model):
    """A named set of users: it can own streams and groups, and be given rights to them, as a user can."""

    name = models.CharField(max_length=128, unique=True)
    description = models.CharField(max_length=1000, blank=True, default="")
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="teams", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)
        constraints = (models.CheckConstraint(condition=Q(name__regex=NAME_PATTERN), name="team_name_is_well_formed"),)

    def __str__(self) -> str:
        return self.name

    @property
    def version(self) -> str:
        """Of what may be changed of it, for whoever sees its members."""
        members = sorted(user.email for user in self.members.all())
        return fingerprint({"id": self.pk, "description": self.description, "members": members})


class Owned(models.Model):
    """What belongs to a user or to a team, and never to both."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="%(class)ss"
    )
    owner_team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, blank=True, related_name="%(class)ss")

    class Meta:
        abstract = True
        constraints = (
            models.CheckConstraint(
                condition=Q(owner__isnull=False, owner_team__isnull=True)
                | Q(owner__isnull=True, owner_team__isnull=False),
                name="%(class)s_has_one_owner",
            ),
        )

    @property
    def owned_by(self) -> Principal:
        return Principal(user_id=self.owner_id, team_id=self.owner_team_id)

    @property
    def owner_name(self) -> str:
        """The user's e-mail address or the team's name, which never has an @."""
        named = self.owner.email if self.owner is not None else self.owner_team and self.owner_team.name
        return named or ""


class Grant(models.Model):
    """Rights to something that were given to a user or a team."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, blank=True, related_name="+"
    )
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    # Who gave it, as people read it; the giver may be gone.
    granted_by = models.CharField(max_length=254, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True

    @property
    def principal(self) -> Principal:
        return Principal(user_id=self.user_id, team_id=self.team_id)

    @property
    def grantee(self) -> str:
        """The user's e-mail address or the team's name."""
        return self.user.email if self.user is not None else str(self.team)


def constraints_of_grant(name: str, *, on: str, rights: list[str]) -> tuple[models.BaseConstraint, ...]:
    """What holds for every table of grants: one user or one team, once, with some of these rights."""
    return (
        models.CheckConstraint(
            condition=Q(user__isnull=False, team__isnull=True) | Q(user__isnull=True, team__isnull=False),
            name=f"{name}_is_for_one",
        ),
        models.CheckConstraint(
            condition=Q(rights__contained_by=rights) & Q(rights__len__gt=0), name=f"{name}_rights_are_known_and_some"
        ),
        models.UniqueConstraint(fields=[on, "user"], name=f"{name}_once_per_user"),
        models.UniqueConstraint(fields=[on, "team"], name=f"{name}_once_per_team"),
    )
