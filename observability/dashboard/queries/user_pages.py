"""What the page of users shows, as plain values."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q

from accounts.models import User


@dataclass(frozen=True, slots=True)
class UserRow:
    """A user in the admin's list."""

    id: int
    email: str
    name: str
    roles: tuple[str, ...]
    is_active: bool
    last_sign_in_at: datetime | None
    key_count: int
    stream_count: int


def list_user_rows(*, text: str = "", after: str | None = None, limit: int) -> list[UserRow]:
    """Return up to `limit` users by e-mail address."""
    users = User.objects.prefetch_related("groups").order_by("email")
    if text:
        users = users.filter(Q(email__contains=text.lower()) | Q(name__icontains=text))
    if after:
        users = users.filter(email__gt=after)
    usable_keys = Count("api_keys", filter=Q(api_keys__revoked_at__isnull=True), distinct=True)
    users = users.annotate(key_count=usable_keys, stream_count=Count("streams", distinct=True))
    return [
        UserRow(
            id=user.pk,
            email=user.email,
            name=user.name,
            roles=tuple(sorted(role.value for role in user.roles)),
            is_active=user.is_active,
            last_sign_in_at=user.last_login,
            key_count=user.key_count,
            stream_count=user.stream_count,
        )
        for user in users[:limit]
    ]
