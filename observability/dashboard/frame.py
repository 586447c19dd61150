"""What stands around every page: who is signed in, and where they can go. What a caller may not do is not shown."""

from dataclasses import dataclass

from django.urls import reverse

from accounts.caller import Caller
from accounts.models import User
from accounts.roles import MEANING_OF_ROLE, Right


@dataclass(frozen=True, slots=True)
class NavLink:
    """One entry of the navigation; `key` is the letter that follows `g` on the keyboard."""

    section: str
    title: str
    url: str
    icon: str
    key: str
    is_current: bool
    has_alert: bool = False


@dataclass(frozen=True, slots=True)
class NavGroup:
    title: str
    links: tuple[NavLink, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """The navigation and the person, as the frame's template shows them."""

    groups: tuple[NavGroup, ...]
    person: str
    email: str
    initials: str
    roles: str
    is_admin: bool


_ENTRIES: tuple[tuple[str, tuple[tuple[str, str, str, str, str, Right | None], ...]], ...] = (
    (
        "",
        (
            ("overview", "Overview", "overview", "squares-2x2", "o", None),
            ("streams", "Streams", "streams", "queue-list", "s", None),
            ("groups", "Consumers", "consumer-groups", "users", "c", Right.CONSUME),
            ("dead-letters", "Dead letters", "dead-letters", "exclamation-triangle", "d", Right.CONSUME),
            ("alerts", "Alerts", "alerts", "bell-alert", "l", Right.CONSUME),
        ),
    ),
    (
        "Produce",
        (
            ("send", "Send events", "send-events", "paper-airplane", "e", Right.PRODUCE),
            ("simulations", "Simulations", "simulations", "beaker", "m", Right.PRODUCE),
        ),
    ),
    (
        "Access",
        (
            ("keys", "Keys and producers", "keys", "key", "k", None),
            ("audit", "Audit trail", "audit", "clipboard-document-list", "a", None),
        ),
    ),
)
_FOR_ADMINS = (("users", "Users", "users", "user-group", "u", None),)


def frame_for(user: User, caller: Caller, section: str) -> Frame:
    """Return the frame of a page in `section`, with the links that this caller may follow."""
    groups = []
    for title, entries in _ENTRIES:
        chosen = [*entries, *(_FOR_ADMINS if title == "Access" and caller.is_admin else ())]
        links = tuple(
            NavLink(name, label, reverse(url), icon, key, is_current=name == section, has_alert=name == "dead-letters")
            for name, label, url, icon, key, right in chosen
            if right is None or caller.has_right(right)
        )
        if links:
            groups.append(NavGroup(title, links))
    return Frame(
        groups=tuple(groups),
        person=user.get_short_name(),
        email=user.email,
        initials=_initials(user.get_full_name()),
        roles=", ".join(sorted(role.value for role in caller.roles)) or "no role yet",
        is_admin=caller.is_admin,
    )


def roles_to_ask_for(caller: Caller) -> list[tuple[str, str]]:
    """What each role allows, for somebody who has none; nobody else needs to know."""
    return [] if caller.roles else [(role.value, meaning) for role, meaning in MEANING_OF_ROLE.items()]


def _initials(name: str) -> str:
    words = [word for word in name.partition("@")[0].replace(".", " ").split() if word]
    return "".join(word[0] for word in words[:2]) or "?"
