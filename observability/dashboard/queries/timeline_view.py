"""What every group did with one event, as the event's page tells it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from consumers.browser_leases import is_browser
from consumers.models import DeliveryHistory
from consumers.states import Outcome
from consumers.timeline import DeliveryStanding, GroupTimeline, get_timeline
from streams.lookup import StreamInfo

# What an event's standing in a group is called, and how it looks.
STATES = {
    "not_handed_out": ("not handed out yet", ""),
    "leased": ("being worked on", "warn"),
    "waiting": ("waiting for its next attempt", "warn"),
    "held_up": ("waiting for the event of its key before it", "warn"),
    "exhausted": ("out of attempts", "bad"),
    "acked": ("acked", "good"),
    "dead_lettered": ("dead letter", "bad"),
    "redriven": ("sent again", "warn"),
    "resolved": ("resolved", "good"),
    "discarded": ("discarded", ""),
    "lost": ("taken by retention before it was read", "bad"),
    "skipped": ("passed by", ""),
    "filtered": ("not let through by the filter", ""),
    "expired": ("expired before it was handed out", ""),
    "scheduled": ("for later", ""),
    "committed": ("committed", "good"),
    "not_committed": ("not committed yet", ""),
}
# What a lease that ended so is not called.
TITLES: dict[str, str] = {Outcome.LAPSED: "the event had expired"}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened, oldest first. `dead_letter_id` leads to a dead letter."""

    title: str
    level: str
    at: datetime | None
    who: str = ""
    detail: str = ""
    dead_letter_id: int | None = None


@dataclass(frozen=True, slots=True)
class GroupStory:
    """What became of the event in one group."""

    group: str
    state: str
    level: str
    steps: Sequence[Step]


def list_group_stories(stream: StreamInfo, partition: int, offset: int) -> list[GroupStory]:
    """Return what every group of the stream did with one event, in a constant number of queries."""
    return [_story(each) for each in get_timeline(stream, partition, offset).groups]


def _story(told: GroupTimeline) -> GroupStory:
    state, level = STATES.get(told.state, (told.state.replace("_", " "), ""))
    steps = [
        Step(TITLES.get(each.outcome, each.outcome), _level(each), each.ended_at, each.consumer, each.error[:300])
        for each in told.history
    ]
    for letter in told.dead_letters:
        steps.append(Step("became a dead letter", "bad", letter.created_at, "", letter.last_error[:300], letter.pk))
        steps += [
            Step(
                f"sent again{' with an edited payload' if each.edited_event is not None else ''}: "
                f"{each.outcome.replace('_', ' ')}",
                "warn",
                each.requested_at,
                "",
                each.note,
            )
            for each in letter.redrives.all()
        ]
    steps.sort(key=lambda step: (step.at is not None, step.at))
    if told.delivery is not None:
        steps.append(_standing(told.delivery))
    return GroupStory(told.group.name, state, level, steps)


def _level(told: DeliveryHistory) -> str:
    """How the end of a lease looks: what somebody looked at in a browser and left is no failure."""
    if told.outcome == Outcome.ACKED:
        return "good"
    is_look = told.outcome == Outcome.EXPIRED and is_browser(told.consumer)
    return "warn" if is_look or told.outcome in (Outcome.RELEASED, Outcome.LAPSED) else "bad"


def _standing(delivery: DeliveryStanding) -> Step:
    if delivery.state == "leased":
        title = f"leased, attempt {delivery.delivery_count}, until"
        return Step(title, "warn", delivery.lease_expires_at, delivery.leased_by)
    if delivery.lease_expires_at is not None:
        title = f"the lease of attempt {delivery.delivery_count} expired"
        return Step(title, "warn", delivery.lease_expires_at, delivery.leased_by)
    if delivery.state == "scheduled":
        return Step("handed out from", "", delivery.available_at)
    if delivery.state == "waiting":
        title = f"attempt {delivery.delivery_count + 1} not before"
        return Step(title, "warn", delivery.available_at, "", delivery.last_error[:300])
    return Step("moving to the dead letters", "bad", None, "", delivery.last_error[:300])
