"""What the page of keys and producers shows, as plain values."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Case, Q, QuerySet, When
from django.utils.dateparse import parse_datetime

from accounts.caller import Caller
from accounts.conf import EXPIRY_WARNING_SECONDS
from accounts.models import ApiKey, User
from accounts.queries import list_api_keys
from streams.queries import describe_producers, list_producers
from streams.totals import StreamTotals
from streams.visible import list_streams

# Of each producer, on one page.
LISTED_STREAMS = 20
NAMED_EXPIRING = 5
# Whether the key has ended, when it was made (in microseconds), and its id.
_PLACE = re.compile(r"([01])-([0-9]{1,16})-([0-9A-Za-z_-]{1,32})", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Touched:
    """A stream, or a group of it, that a key touched."""

    stream: str
    group: str | None
    at: datetime | None


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as far as it may be shown."""

    id: str
    name: str
    prefix: str
    owner: str
    scopes: tuple[str, ...]
    stream_names: tuple[str, ...]
    created_at: datetime
    addresses: tuple[str, ...]
    last_used_at: datetime | None
    last_used_address: str
    last_used_agent: str
    touched: tuple[Touched, ...]
    expires_at: datetime | None
    revoked_at: datetime | None
    is_expired: bool
    expires_soon: bool
    # Where it stands in the list.
    cursor: str

    @property
    def is_usable(self) -> bool:
        return self.revoked_at is None and not self.is_expired


@dataclass(frozen=True, slots=True)
class ProducerRow:
    """A person who produces, with their first streams, and how many more there are."""

    name: str
    email: str
    key_count: int
    streams: Sequence[StreamTotals]
    more_streams: int


def list_key_rows(caller: Caller, *, now: datetime, after: str | None, limit: int) -> list[KeyRow]:
    """Return keys that the caller may see after a place in their list: usable ones first, and the newest of these."""
    keys = _in_order(list_api_keys(caller), now)
    if after and (place := _PLACE.fullmatch(after)):
        ended, made_at, key_id = int(place[1]), _EPOCH + int(place[2]) * timedelta.resolution, place[3]
        later = Q(created_at__lt=made_at) | Q(created_at=made_at, pk__lt=key_id)
        keys = keys.filter(Q(has_ended__gt=ended) | Q(later, has_ended=ended))
    return [view_key(key, now) for key in keys[:limit]]


def pages_with_keys(caller: Caller, keys: Sequence[ApiKey], *, now: datetime, size: int) -> dict[str, str]:
    """Return after which place the page of keys begins that shows each of these; '' where it is the first one.

    Args:
        size: how many are on a page.
    """
    first = set(_in_order(list_api_keys(caller).prefetch_related(None), now).values_list("pk", flat=True)[:size])
    return {key.key_id: "" if key.pk in first else _place_before(key, now) for key in keys}


def _in_order(keys: QuerySet[ApiKey], now: datetime) -> QuerySet[ApiKey]:
    """Usable ones first, and the newest of these."""
    has_ended = Q(revoked_at__isnull=False) | Q(expires_at__lte=now)
    ordered = keys.annotate(has_ended=Case(When(has_ended, then=1), default=0))
    return ordered.order_by("has_ended", "-created_at", "-pk")


@dataclass(frozen=True, slots=True)
class Expiring:
    """How many keys will stop within a week, and the names of the first of them."""

    count: int
    names: Sequence[str]


def find_expiring(caller: Caller, *, now: datetime) -> Expiring | None:
    """Return which keys of those that the caller may see will expire within a week, if any."""
    soon = now + timedelta(seconds=EXPIRY_WARNING_SECONDS)
    keys = list_api_keys(caller).filter(revoked_at__isnull=True, expires_at__gt=now, expires_at__lte=soon)
    names = list(keys.order_by("expires_at").values_list("name", flat=True)[:NAMED_EXPIRING])
    if not names:
        return None
    return Expiring(len(names) if len(names) < NAMED_EXPIRING else keys.count(), names)


def view_key(key: ApiKey, now: datetime) -> KeyRow:
    """Return a key as far as it may be shown."""
    is_expired = _is_expired(key, now)
    return KeyRow(
        id=key.key_id,
        name=key.name,
        prefix=key.prefix,
        owner=key.user.email,
        scopes=tuple(key.usable_scopes),
        stream_names=tuple(key.stream_names or ()),
        created_at=key.created_at,
        addresses=tuple(key.addresses or ()),
        last_used_at=key.last_used_at,
        last_used_address=key.last_used_address,
        last_used_agent=key.last_used_agent,
        touched=tuple(Touched(each["stream"], each["group"], parse_datetime(each["at"])) for each in key.touched),
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        is_expired=is_expired,
        expires_soon=key.expires_soon(now),
        cursor=_place_of(key, now),
    )


def _is_expired(key: ApiKey, now: datetime) -> bool:
    return key.expires_at is not None and key.expires_at <= now


def _place_of(key: ApiKey, now: datetime, *, later: int = 0) -> str:
    """Where a key stands in the list; `later`: where it would stand, had it been made so many microseconds later."""
    has_ended = _is_expired(key, now) or key.revoked_at is not None
    made_at = (key.created_at - _EPOCH) // timedelta.resolution + later
    return f"{int(has_ended)}-{made_at}-{key.key_id}"


def _place_before(key: ApiKey, now: datetime) -> str:
    return _place_of(key, now, later=1)


def list_names_of_streams(caller: Caller, *, limit: int = 500) -> list[str]:
    """Return the names of the streams that a key of the caller's could be for."""
    return list(list_streams(caller).order_by("name").values_list("name", flat=True)[:limit])


def list_producer_rows(caller: Caller, *, after: str | None, limit: int) -> list[ProducerRow]:
    """Return producers that the caller may see, by e-mail: themselves, for an admin everybody whose role allows it."""
    producers = list_producers(caller).order_by("email")
    users: list[User] = list((producers.filter(email__gt=after) if after else producers)[:limit])
    return [
        ProducerRow(
            name=producer.user.get_full_name(),
            email=producer.user.email,
            key_count=producer.kept_key_count,
            streams=producer.streams,
            more_streams=producer.stream_count - len(producer.streams),
        )
        for producer in describe_producers(caller, users, most=LISTED_STREAMS)
    ]
