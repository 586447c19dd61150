"""The list of dead letters: a page of it, how many there are, and the kinds of their errors."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.caller import Caller
from consumers.access import GroupRight
from consumers.conf import SEARCH_DEAD_LETTERS
from consumers.dead_letter_queries import list_dead_letters_of, list_groups_for_dead_letters
from consumers.dead_letter_search import DeadLetterFilter, Look, look_through
from consumers.models import ConsumerGroup, DeadLetter, Mode
from consumers.queries import rights_on_loaded
from observability.dashboard.queries.dead_letter_pages import DeadLetterRow, view_row

# What stands for the fingerprint of no error at all, which is empty: an address would say nothing. None has a dash.
NO_ERROR = "no-error"
MAX_SAMPLE_CHARACTERS = 300
SHOWN_KINDS = 6


@dataclass(frozen=True, slots=True)
class DeadLetterGroups:
    """The groups that somebody sees, and which of them they manage."""

    visible: Sequence[ConsumerGroup]
    managed: frozenset[int]


@dataclass(frozen=True, slots=True)
class ErrorKind:
    """Dead letters whose errors are the same but for numbers and ids."""

    fingerprint: str
    sample: str
    count: int
    last_at: datetime

    @property
    def word(self) -> str:
        """What an address says to have these alone."""
        return self.fingerprint or NO_ERROR


@dataclass(frozen=True, slots=True)
class Totals:
    """How many dead letters match, and how many of them the caller could send again or discard.

    Attributes:
        is_all: False: there may be more; counted are the newest, among the newest `looked_at`.
    """

    count: int
    redrivable: int
    discardable: int
    looked_at: int
    is_all: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """A page of dead letters; behind `next_id` there is more, or more to look at."""

    rows: Sequence[DeadLetterRow]
    next_id: int | None
    totals: Totals
    kinds: Sequence[ErrorKind]


def list_dead_letter_groups(caller: Caller) -> DeadLetterGroups:
    """Return the groups whose dead letters the caller sees."""
    visible = list_groups_for_dead_letters(caller, DeadLetterFilter()).prefetch_related("grants", "stream__grants")
    managed = (group.pk for group in visible if GroupRight.MANAGE in rights_on_loaded(caller, group))
    return DeadLetterGroups(list(visible), frozenset(managed))


def look_at_dead_letters(groups: DeadLetterGroups, wanted: DeadLetterFilter, *, before: int | None, limit: int) -> Seen:
    """Return up to `limit` dead letters, newest first, without their events; and what the newest of all add up to.

    What is counted is bounded, so that a hundred thousand cost what ten thousand do.
    """
    meant = [
        group
        for group in groups.visible
        if wanted.stream in (None, group.stream.name) and wanted.group in (None, group.name)
    ]
    letters = list_dead_letters_of(meant).order_by("-pk")
    most = SEARCH_DEAD_LETTERS
    here = newest = look_through(letters, wanted, most_found=most, most_looked_at=most)
    if before is not None:
        here = look_through(letters.filter(pk__lt=before), wanted, most_found=limit, most_looked_at=most)
    ids = here.ids[:limit]
    next_id = ids[-1] if len(here.found) > limit else None if here.is_end else here.reached
    return Seen(
        rows=[view_row(each, may_manage=each.group_id in groups.managed) for each in letters.filter(pk__in=ids)],
        next_id=next_id,
        totals=_totals_of(newest, meant, groups.managed),
        kinds=_kinds_of(newest),
    )


def _totals_of(look: Look, groups: Sequence[ConsumerGroup], managed: frozenset[int]) -> Totals:
    leasing = {group.pk for group in groups if group.mode == Mode.LEASE} & managed
    return Totals(
        count=len(look.found),
        redrivable=sum(each.has_event and each.group_id in leasing for each in look.found),
        discardable=sum(each.group_id in managed for each in look.found),
        looked_at=look.looked_at,
        is_all=look.is_end,
    )


def _kinds_of(look: Look) -> list[ErrorKind]:
    """The commonest kinds of error; of each, the newest is shown."""
    commonest = Counter(each.fingerprint for each in look.found).most_common(SHOWN_KINDS)
    newest = {each.fingerprint: each for each in reversed(look.found)}
    ids = [newest[fingerprint].id for fingerprint, _ in commonest]
    samples = DeadLetter.objects.only("last_error", "created_at").in_bulk(ids)
    return [
        ErrorKind(
            fingerprint=fingerprint,
            sample=samples[pk].last_error[:MAX_SAMPLE_CHARACTERS],
            count=count,
            last_at=samples[pk].created_at,
        )
        for (fingerprint, count), pk in zip(commonest, ids, strict=True)
        # One whose group was deleted a moment ago is gone.
        if pk in samples
    ]
