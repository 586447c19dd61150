"""Whatever has a name: streams, groups, keys, events and dead letters that somebody may see, by one text."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Case, Q, QuerySet, Value, When
from django.urls import reverse
from django.utils import timezone

from accounts.caller import Caller
from accounts.errors import DomainError
from accounts.key_material import parse_key
from accounts.models import ApiKey
from accounts.queries import list_api_keys
from accounts.roles import Right
from consumers.dead_letter_queries import list_dead_letters_of_event
from consumers.models import ConsumerGroup
from consumers.queries import list_visible_groups
from observability.dashboard.queries.event_by_id import EventsLookedAt, look_for_event
from observability.dashboard.queries.key_pages import pages_with_keys
from streams.lookup import require_stream
from streams.models import Stream
from streams.queries import get_event
from streams.visible import list_streams

MOST_OF_A_KIND = 10
# An event by its address: the stream, the partition where there are several, the offset.
_ADDRESS = re.compile(r"([a-z0-9._-]{1,128})(?:/(\d{1,3}))?/(\d{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Match:
    """Something of the name; `is_exact`: it has this name and no longer one."""

    title: str
    note: str
    url: str
    is_exact: bool


@dataclass(frozen=True, slots=True)
class Kind:
    """The matches of one kind; `more_url` leads to the rest where there is more."""

    title: str
    matches: Sequence[Match]
    more_url: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """All that was found.

    Attributes:
        looked: what was looked at for an event with this id; None: it was not looked for, as something has this name.
    """

    kinds: Sequence[Kind]
    looked: EventsLookedAt | None

    @property
    def only(self) -> Match | None:
        """The one thing that has exactly this name."""
        exact = [match for kind in self.kinds for match in kind.matches if match.is_exact]
        return exact[0] if len(exact) == 1 else None


def find(caller: Caller, text: str, *, page_rows: int) -> Found:
    """Return what the caller may see under this name, in a bounded number of queries.

    Args:
        page_rows: how many rows are on a page of a list; a key is led to on the one that it is on.
    """
    kinds = [_streams(caller, text), _groups(caller, text), _keys(caller, text, page_rows)]
    if address := _at_address(caller, text):
        kinds.append(Kind("Events", [address]))
    looked = None
    if not any(match.is_exact for kind in kinds for match in kind.matches):
        looked = look_for_event(caller, text)
        events = [
            Match(
                f"{each.stream}/{each.partition}/{each.offset}",
                "an event with this id",
                reverse("event-page", args=[each.stream, each.partition, each.offset]),
                is_exact=True,
            )
            for each in looked.found[:MOST_OF_A_KIND]
        ]
        kinds.append(Kind("Events", events))
        if not events:
            kinds.append(_dead_letters(caller, text))
    return Found([kind for kind in kinds if kind.matches], looked)


def without_secret(text: str) -> str:
    """Return a text without the secret of a key, should it be a whole one: who pastes that looks for the key."""
    material = parse_key(text)
    return material.prefix if material else text


def _streams(caller: Caller, text: str) -> Kind:
    name = text.lower()
    rows: QuerySet[Stream] = list_streams(caller).select_related(None).prefetch_related(None)
    rows = rows.filter(name__contains=name).order_by(_exact_first(name=name), "name")
    names = list(rows.values_list("name", flat=True)[: MOST_OF_A_KIND + 1])
    more = f"{reverse('streams')}?name={name}" if len(names) > MOST_OF_A_KIND else ""
    matches = [Match(each, "", reverse("stream", args=[each]), each == name) for each in names[:MOST_OF_A_KIND]]
    return Kind("Streams", matches, more)


def _groups(caller: Caller, text: str) -> Kind:
    name = text.lower()
    rows: QuerySet[ConsumerGroup] = list_visible_groups(caller).select_related(None).prefetch_related(None)
    rows = rows.filter(name__contains=name).order_by(_exact_first(name=name), "name", "stream__name")
    found = list(rows.values_list("stream__name", "name")[: MOST_OF_A_KIND + 1])
    more = f"{reverse('consumer-groups')}?name={name}" if len(found) > MOST_OF_A_KIND else ""
    matches = [
        Match(group, f"on {stream}", reverse("group", args=[stream, group]), group == name)
        for stream, group in found[:MOST_OF_A_KIND]
    ]
    return Kind("Consumer groups", matches, more)


def _keys(caller: Caller, text: str, page_rows: int) -> Kind:
    if caller.key_id is not None:
        return Kind("API keys", ())
    prefix = without_secret(text)
    is_it = Q(name__iexact=text) | Q(key_id=prefix) | Q(prefix=prefix)
    rows: QuerySet[ApiKey] = list_api_keys(caller).prefetch_related(None)
    rows = rows.filter(is_it | Q(name__icontains=text) | Q(prefix__startswith=prefix))
    rows = rows.order_by(Case(When(is_it, then=Value(0)), default=Value(1)), "-created_at")
    keys = list(rows[: MOST_OF_A_KIND + 1])
    places = pages_with_keys(caller, keys, now=timezone.now(), size=page_rows) if keys else {}
    matches = [
        Match(
            key.name,
            f"{key.prefix}… of {key.user.email}{', revoked' if key.revoked_at else ''}",
            _key_url(key, places[key.key_id]),
            key.name.lower() == text.lower() or prefix in (key.key_id, key.prefix),
        )
        for key in keys[:MOST_OF_A_KIND]
    ]
    return Kind("API keys", matches, reverse("keys") if len(keys) > MOST_OF_A_KIND else "")


def _key_url(key: ApiKey, after: str) -> str:
    """The row of a key, on the page of the list that it is on."""
    return f"{reverse('keys')}{f'?after={after}' if after else ''}#key-{key.key_id}"


def _dead_letters(caller: Caller, text: str) -> Kind:
    """Of an event that is in no stream any more, or too far back to be looked at: a dead letter keeps its own copy."""
    letters = list(list_dead_letters_of_event(caller, text)[: MOST_OF_A_KIND + 1])
    matches = [
        Match(
            f"{each.group.name} on {each.group.stream.name}",
            f"a dead letter of an event with this id, {each.status}",
            reverse("dead-letter", args=[each.pk]),
            is_exact=True,
        )
        for each in letters[:MOST_OF_A_KIND]
    ]
    return Kind("Dead letters", matches, reverse("dead-letters") if len(letters) > MOST_OF_A_KIND else "")


def _at_address(caller: Caller, text: str) -> Match | None:
    named = _ADDRESS.fullmatch(text.lower())
    if named is None:
        return None
    stream, partition, offset = named[1], int(named[2] or 0), int(named[3])
    try:
        get_event(require_stream(caller, stream, Right.CONSUME), partition, offset)
    except DomainError:
        # Missing, hidden, or taken by retention: for this box all the same.
        return None
    return Match(
        f"{stream}/{partition}/{offset}",
        "the event at this offset",
        reverse("event-page", args=[stream, partition, offset]),
        is_exact=True,
    )


def _exact_first(**name: str) -> Case:
    return Case(When(**name, then=Value(0)), default=Value(1))
