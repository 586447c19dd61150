"""Users, API keys, and the memory of requests that were already answered."""

from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo
from functools import cached_property
from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import Group, PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from accounts.audit import AuditEntry
from accounts.caller import Caller
from accounts.conf import EXPIRY_WARNING_SECONDS
from accounts.ownership import Grant, Owned, Team, constraints_of_grant
from accounts.roles import Role, Scope, roles_named, usable_scopes
from accounts.time_zones import MAX_NAME_LENGTH, find_zone

__all__ = [
    "ApiKey",
    "AuditEntry",
    "Grant",
    "IdempotencyRecord",
    "Owned",
    "SignInAttempts",
    "Team",
    "User",
    "UserManager",
    "UserSession",
    "constraints_of_grant",
]


class UserManager(BaseUserManager["User"]):
    """Makes users; e-mail addresses are compared without regard to case."""

    def create_user(
        self, email: str, password: str | None = None, *, roles: Iterable[Role] = (), **fields: Any
    ) -> "User":
        user = self.model(email=self.normalize_email(email).strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        user.groups.set(Group.objects.filter(name__in=list(roles)))
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, roles=[Role.ADMIN], is_superuser=True, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person who signs in with an e-mail address; what they may do follows from their roles."""

    email = models.EmailField("e-mail", max_length=254, unique=True)
    name = models.CharField(max_length=120, blank=True)
    is_active = models.BooleanField(
        "active", default=True, help_text="Clear it instead of deleting a user: keys and tokens stop working at once."
    )
    # The zone that pages show times in, and understand them in; empty is the browser's. The database's default is for
    # servers of the release before.
    time_zone = models.CharField(max_length=MAX_NAME_LENGTH, blank=True, default="", db_default="", editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        ordering = ("email",)
        constraints = (models.CheckConstraint(condition=Q(email=Lower("email")), name="user_email_is_lower_case"),)

    def __str__(self) -> str:
        return self.email

    @cached_property
    def roles(self) -> frozenset[Role]:
        """The roles held; loaded once for each instance."""
        return roles_named((group.name for group in self.groups.all()), is_superuser=self.is_superuser)

    @cached_property
    def team_ids(self) -> frozenset[int]:
        """The teams that the user is a member of; loaded once for each instance."""
        return frozenset(self.teams.values_list("pk", flat=True))

    @cached_property
    def zone(self) -> tzinfo | None:
        """The zone that they chose; None: none, or one that this machine does not know any more."""
        return find_zone(self.time_zone)

    @property
    def is_admin(self) -> bool:
        return Role.ADMIN in self.roles

    @property
    def is_staff(self) -> bool:
        """Django admin's question: may they enter it at all?"""
        return self.is_admin

    def has_perm(self, perm: str, obj: Any = None) -> bool:
        return self.is_active and self.is_admin

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_active and self.is_admin

    def as_caller(self) -> Caller:
        return Caller(user_id=self.pk, email=self.email, roles=self.roles, team_ids=self.team_ids)

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.name or self.email.partition("@")[0]


class ApiKey(models.Model):
    """A secret that lets a program act for its user, within its scopes and streams.

    Only the hash of the secret is kept; `key_id` is the public part that stands in the key itself.
    """

    key_id = models.CharField(max_length=12, primary_key=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=24, editable=False)
    secret_hash = models.BinaryField(max_length=32, editable=False)
    scopes = ArrayField(models.CharField(max_length=16, choices=[(scope.value, scope.value) for scope in Scope]))
    # Names, not foreign keys: a stream's name is its id, and accounts knows nothing of streams.
    stream_names = ArrayField(
        models.CharField(max_length=128), null=True, blank=True, help_text="Leave empty for every stream of the owner."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    addresses = ArrayField(
        models.CharField(max_length=49),
        null=True,
        blank=True,
        help_text="Addresses and networks (192.0.2.0/24) from which it may be used. Leave empty for everywhere.",
    )
    last_used_at = models.DateTimeField(null=True, editable=False)
    # The database's defaults are for servers of the release before, which make keys without these.
    last_used_address = models.CharField(max_length=64, blank=True, editable=False, default="", db_default="")
    last_used_agent = models.CharField(max_length=200, blank=True, editable=False, default="", db_default="")
    # Streams and groups, the one touched last first: [{"stream", "group", "at"}].
    touched = models.JSONField(
        default=list, db_default=models.Value([], models.JSONField()), blank=True, editable=False
    )
    use_written_at = models.DateTimeField(null=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = "API key"
        verbose_name_plural = "API keys"
        ordering = ("-created_at",)
        indexes = (models.Index(fields=["user", "-created_at"], name="apikey_user_created"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(scopes__contained_by=[scope.value for scope in Scope]) & Q(scopes__len__gt=0),
                name="apikey_scopes_are_known_and_some",
            ),
            models.CheckConstraint(
                condition=Q(stream_names__isnull=True) | Q(stream_names__len__gt=0),
                name="apikey_stream_list_is_absent_or_not_empty",
            ),
            models.CheckConstraint(
                condition=Q(addresses__isnull=True) | Q(addresses__len__gt=0),
                name="apikey_address_list_is_absent_or_not_empty",
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"

    def expires_soon(self, now: datetime) -> bool:
        """Whether it works now and will not in a week."""
        if self.revoked_at is not None or self.expires_at is None:
            return False
        return now < self.expires_at <= now + timedelta(seconds=EXPIRY_WARNING_SECONDS)

    @property
    def usable_scopes(self) -> list[Scope]:
        """The scopes that its user's roles still allow."""
        return usable_scopes(self.scopes, self.user.roles)


class SignInAttempts(models.Model):
    """How often somebody tried to sign in lately: for an account, from an address, or both together."""

    subject = models.CharField(max_length=64, primary_key=True)
    tries = models.PositiveIntegerField()
    ends_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "sign-in attempts"
        indexes = (models.Index(fields=["ends_at"], name="signinattempts_ends"),)

    def __str__(self) -> str:
        return self.subject


class IdempotencyRecord(models.Model):
    """The answer to a request that carried an `Idempotency-Key`, kept to be given again.

    It is written in the transaction that did the work, so both exist or neither does.
    """

    caller = models.CharField(max_length=64)
    key = models.CharField(max_length=255)
    request_hash = models.BinaryField(max_length=32)
    # Null inside the transaction that is still doing the work, which nobody else ever sees; and of an append to an
    # engine beside the database until it is complete.
    status = models.PositiveSmallIntegerField(null=True)
    content_type = models.CharField(max_length=64, default="application/json")
    body = models.BinaryField(null=True)
    # Of an append: where its events went. Where one is gone, its stream was deleted since. Null for all else.
    partition_ids = ArrayField(models.BigIntegerField(), null=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["caller", "key"], name="idempotency_key_unique_per_caller"),
            models.CheckConstraint(
                condition=Q(expires_at__gt=models.F("created_at")), name="idempotency_expires_later"
            ),
        )
        indexes = (models.Index(fields=["expires_at"], name="idempotency_expires"),)

    def __str__(self) -> str:
        return f"{self.caller} {self.key}"


class UserSession(models.Model):
    """One sign-in of a person: a browser, or a family of tokens of which each refresh token replaces the one before.

    Refresh, reuse and the end of a session lock its row, so that none of them overtakes another. No token is kept:
    the newest pair is made again from `generation` and `renewed_at`.
    """

    class Kind(models.TextChoices):
        TOKENS = "tokens"
        BROWSER = "browser"

    id = models.CharField(max_length=32, primary_key=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    # How often the tokens were renewed; the refresh token that counts has this number.
    generation = models.PositiveIntegerField(default=0)
    renewed_at = models.DateTimeField()
    # The key of Django's session, whose row is the truth about a browser.
    browser_key = models.CharField(max_length=40, blank=True)
    address = models.CharField(max_length=64)
    user_agent = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = (
            models.Index(fields=["user", "-last_seen_at"], name="usersession_user_seen"),
            models.Index(fields=["expires_at"], name="usersession_expires"),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(kind="tokens", browser_key="") | (Q(kind="browser", generation=0) & ~Q(browser_key="")),
                name="usersession_only_a_browser_has_a_key",
            ),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"
