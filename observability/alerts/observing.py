"""What the rules find at this moment, each with its owner's rights; nothing is written down."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from accounts.caller import Caller
from accounts.principals import Principal
from consumers.models import ConsumerGroup
from consumers.queries import list_visible_groups
from observability.alerts.kinds import KINDS, Scope
from observability.alerts.owners import callers_of, may_use_channel
from observability.conf import REJECTIONS_WINDOW_SECONDS
from observability.models import AlertRule, What
from observability.numbers.holdings import Holding, load_holdings
from observability.numbers.outlook import GroupNumbers, list_group_numbers
from observability.numbers.rejections import count_rejected_appends
from observability.telemetry.disk import find_disk_standing
from streams.log import engine_healths
from streams.models import Stream
from streams.visible import list_streams

OWNER_DISABLED = "owner_disabled"
NOT_VISIBLE = "not_visible"
NOT_ADMIN = "not_admin"
NO_CHANNEL = "no_channel"
INSTALLATION = (0, "")


@dataclass(frozen=True, slots=True)
class Observation:
    """The number of one group, one stream, or the installation (`subject_id` 0), for one rule."""

    rule_id: int
    subject_id: int
    subject: str
    value: float | None
    is_reached: bool


@dataclass(slots=True)
class Observed:
    """All that was found.

    Attributes:
        stopped: why rules could not be looked at, by their id.
        unknown: rules whose number nobody knows at this moment: what they found before stays as it is.
    """

    observations: list[Observation] = field(default_factory=list)
    stopped: dict[int, str] = field(default_factory=dict)
    unknown: set[int] = field(default_factory=set)


def count_engines_away() -> int:
    """Count the engines beside PostgreSQL that take no appends now; they are asked."""
    return sum(not health.is_writable for health in engine_healths().values())


def observe(rules: Sequence[AlertRule], *, engines_away: int, now: datetime) -> Observed:
    """Return what these rules find, in a number of queries that grows with their owners and not with the rules.

    Args:
        rules: with their channels.
        engines_away: what `count_engines_away` said a moment ago.
    """
    callers, observed = callers_of(rules), Observed()
    sights = _Sights(rules, callers)
    subjects: dict[int, Collection[int]] = {}
    for rule in rules:
        stopped, ids = _subjects_of(rule, callers.get(rule.owned_by), sights)
        if stopped:
            observed.stopped[rule.pk] = stopped
        else:
            subjects[rule.pk] = ids
    numbers = _Numbers.load([(rule, subjects[rule.pk]) for rule in rules if rule.pk in subjects], now=now)
    numbers.engines_away = engines_away
    for rule in rules:
        if rule.pk in subjects:
            _observe_one(rule, subjects[rule.pk], numbers, observed)
    return observed


def _observe_one(rule: AlertRule, ids: Collection[int], numbers: "_Numbers", observed: Observed) -> None:
    kind = KINDS[rule.what]
    for subject_id, subject, value in numbers.of(rule.what, ids):
        if value is None and kind.scope is Scope.INSTALLATION:
            observed.unknown.add(rule.pk)
        else:
            is_reached = kind.is_reached(value, rule.threshold)
            observed.observations.append(Observation(rule.pk, subject_id, subject, value, is_reached))


def _subjects_of(rule: AlertRule, caller: Caller | None, sights: "_Sights") -> tuple[str, Collection[int]]:
    """Why a rule cannot be looked at, or ""; and the ids of the groups or streams that it looks at."""
    if caller is None:
        return OWNER_DISABLED, ()
    owner = rule.owned_by
    if not any(may_use_channel(caller, owner, channel.owned_by) for channel in rule.channels.all()):
        return NO_CHANNEL, ()
    scope = KINDS[rule.what].scope
    if scope is Scope.INSTALLATION:
        return ("", (0,)) if caller.sees_everybody else (NOT_ADMIN, ())
    if scope is Scope.STREAM:
        visible = sights.streams(owner)
        if rule.stream_id is None:
            return "", visible
        return ("", (rule.stream_id,)) if rule.stream_id in visible else (NOT_VISIBLE, ())
    groups = sights.groups(owner)
    if rule.stream_id is None:
        return "", groups
    ids = [pk for pk, stream_id in groups.items() if stream_id == rule.stream_id and rule.group_id in (None, pk)]
    if rule.group_id is None:
        # A stream without groups is no reason to stop.
        return ("", ids) if rule.stream_id in sights.streams(owner) else (NOT_VISIBLE, ())
    return ("", ids) if ids else (NOT_VISIBLE, ())


class _Sights:
    """What each owner of rules may see, asked once for each and no further than their rules go."""

    def __init__(self, rules: Iterable[AlertRule], callers: Mapping[Principal, Caller]) -> None:
        self._callers = callers
        self._wanted: dict[Principal, set[int | None]] = defaultdict(set)
        for rule in rules:
            self._wanted[rule.owned_by].add(rule.stream_id)
        self._streams: dict[Principal, set[int]] = {}
        self._groups: dict[Principal, dict[int, int]] = {}

    def streams(self, owner: Principal) -> set[int]:
        if owner not in self._streams:
            visible = list_streams(self._callers[owner]).prefetch_related(None).select_related(None).order_by()
            self._streams[owner] = set(self._narrowed(visible, owner, "pk").values_list("pk", flat=True))
        return self._streams[owner]

    def groups(self, owner: Principal) -> dict[int, int]:
        """The stream's id by the group's."""
        if owner not in self._groups:
            visible = list_visible_groups(self._callers[owner]).prefetch_related(None).select_related(None)
            rows = self._narrowed(visible, owner, "stream_id").order_by("pk").values_list("pk", "stream_id")
            self._groups[owner] = dict(rows)
        return self._groups[owner]

    def _narrowed(self, rows: Any, owner: Principal, column: str) -> Any:
        wanted = self._wanted[owner]
        return rows if None in wanted else rows.filter(**{f"{column}__in": wanted})


@dataclass(slots=True)
class _Numbers:
    """The numbers of all that somebody looks at: each worked out once, by the wing of the numbers."""

    now: datetime
    holdings: dict[int, Holding]
    groups: dict[int, GroupNumbers]
    # When it was made, and whether it is paused.
    ages: dict[Scope, dict[int, tuple[datetime, bool]]]
    engines_away: int = 0

    @classmethod
    def load(cls, looked_at: Sequence[tuple[AlertRule, Collection[int]]], *, now: datetime) -> "_Numbers":
        wanted: dict[Scope, set[int]] = defaultdict(set)
        for rule, ids in looked_at:
            wanted[KINDS[rule.what].scope].update(ids)
        groups = ConsumerGroup.objects.filter(pk__in=wanted[Scope.GROUP])
        stream_ids = wanted[Scope.STREAM] | set(groups.order_by().values_list("stream_id", flat=True))
        holdings = load_holdings(stream_ids=stream_ids, now=now) if stream_ids else {}
        numbers = list_group_numbers(groups.order_by("pk"), holdings, now=now) if wanted[Scope.GROUP] else []
        streams = Stream.objects.filter(pk__in=wanted[Scope.STREAM])
        return cls(
            now=now,
            holdings=holdings,
            groups={each.standing.id: each for each in numbers},
            ages={
                scope: {pk: (at, is_paused) for pk, at, is_paused in rows.values_list("pk", "created_at", "is_paused")}
                for scope, rows in ((Scope.GROUP, groups.order_by()), (Scope.STREAM, streams.order_by()))
            },
        )

    def of(self, what: str, ids: Collection[int]) -> list[tuple[int, str, float | None]]:
        """Id, name and number of each; those that were deleted meanwhile are not among them."""
        scope = KINDS[what].scope
        if scope is Scope.INSTALLATION:
            return [(*INSTALLATION, self._of_installation(what))]
        if scope is Scope.STREAM:
            found = [self.holdings[pk] for pk in ids if pk in self.holdings and pk in self.ages[scope]]
            return [(each.stream_id, each.totals.name, self._of_stream(each)) for each in found]
        numbers = [self.groups[pk] for pk in ids if pk in self.groups and pk in self.ages[scope]]
        return [
            (each.standing.id, f"{each.standing.stream}/{each.standing.name}", self._of_group(what, each))
            for each in numbers
        ]

    def _of_group(self, what: str, numbers: GroupNumbers) -> float | None:
        standing, outlook = numbers
        if what == What.DEAD_LETTERS:
            return standing.dead_letters
        if what == What.LAG:
            return standing.lag
        if what == What.LAG_SECONDS:
            return standing.lag_seconds or 0.0
        if what == What.LOST:
            return standing.lost
        if what == What.RETENTION_RISK:
            return outlook.retention_risk_seconds
        return self._silence(Scope.GROUP, standing.id, standing.last_seen_at)

    def _of_stream(self, holding: Holding) -> float | None:
        return self._silence(Scope.STREAM, holding.stream_id, holding.totals.last_event_at)

    def _silence(self, scope: Scope, pk: int, heard_at: datetime | None) -> float | None:
        """Seconds without a word; what is paused has nothing to say."""
        created_at, is_paused = self.ages[scope][pk]
        return None if is_paused else max(0.0, (self.now - (heard_at or created_at)).total_seconds())

    def _of_installation(self, what: str) -> float | None:
        if what == What.REJECTIONS:
            return count_rejected_appends(now=self.now, seconds=REJECTIONS_WINDOW_SECONDS)
        if what == What.ENGINES:
            return self.engines_away
        standing = find_disk_standing(now=self.now)
        return None if standing is None else standing.used_bytes * 100 / standing.capacity_bytes
