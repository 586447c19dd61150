"""Whatever writes deliveries moves them as the table in `consumers/states.py` says, from every state, and not otherwise.

A statement that is not played here, or does not name its acts, fails the test: the table stays whole.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import uuid4

import pytest

from consumers.models import ConsumerGroup, DeadLetter, Delivery, GroupOffset
from consumers.services.groups import delete_group
from consumers.services.seek import SeekTarget, SeekTo, seek_group
from consumers.statements import run
from consumers.states import TRANSITIONS, Act, DeliveryState
from tests.consumers.delivery_writers import functions, statements
from tests.consumers.leases import info, make_lease_group, produce

pytestmark = pytest.mark.usefixtures("db_with_commits")

TOKEN, OTHER_TOKEN = uuid4(), uuid4()
KEY = -7
NOW = datetime.now(UTC)
IN_STATE: dict[DeliveryState, dict[str, Any]] = {
    DeliveryState.LEASED: {
        "lease_token": TOKEN,
        "leased_at": NOW,
        "leased_by": "worker",
        "lease_expires_at": NOW + timedelta(hours=1),
    },
    DeliveryState.WAITING: {"available_at": NOW + timedelta(hours=1)},
    DeliveryState.HELD_UP: {"key_hash": KEY, "last_offset": 1, "delivery_count": 0, "failure_count": 0},
    DeliveryState.EXHAUSTED: {"exhausted_reason": "terminal"},
}


class Scene(NamedTuple):
    """A group with ten events, of which a delivery has the first five: it is in some state."""

    group: ConsumerGroup
    delivery: Delivery
    token: Any = TOKEN

    @property
    def partition_id(self) -> int:
        return self.delivery.partition_id


def set_scene(state: DeliveryState, *, token: Any = TOKEN) -> Scene:
    group = make_lease_group()
    produce(group, 10)
    GroupOffset.objects.filter(group=group).update(dispatched_offset=5)
    fields = {"first_offset": 1, "last_offset": 5, "delivery_count": 2, "failure_count": 1} | IN_STATE[state]
    delivery = Delivery.objects.create(
        group=group, partition_id=info(group).partition(0).id, state=state.value, created_at=NOW, **fields
    )
    return Scene(group, delivery, token)


# --- how each statement is played, in all the ways that lead somewhere else ---


def named(scene: Scene) -> dict[str, Any]:
    return {"group_id": scene.group.pk, "delivery_ids": [scene.delivery.pk], "tokens": [scene.token]}


def pieces(scene: Scene, state: str, *, first_offset: int) -> dict[str, Any]:
    return {
        "delivery_ids": [scene.delivery.pk],
        "first_offsets": [first_offset],
        "last_offsets": [5],
        "states": [state],
        "are_alone": [False],
        "suspect_limits": [0],
        "failure_counts": [2],
        "delays": [0.0],
        "reasons": ["" if state == "waiting" else "max_failures"],
        "errors": ["broken"],
    }


def lease_fresh(scene: Scene) -> None:
    run(
        "lease_fresh",
        group_id=scene.group.pk,
        token=OTHER_TOKEN,
        consumer="w",
        ack_wait=30.0,
        is_alone=False,
        in_order=False,
        partition_ids=[scene.partition_id],
        earliest_offsets=[1],
        head_offsets=[10],
        rooms=[5],
    )


def deal_fresh(scene: Scene) -> None:
    run(
        "deal_fresh",
        group_id=scene.group.pk,
        wait_for=[scene.partition_id],
        partition_ids=[scene.partition_id],
        earliest_offsets=[1],
        head_offsets=[10],
        tokens=[OTHER_TOKEN, uuid4()],
        consumers=["w", "v"],
        ack_waits=[30.0, 60.0],
        rooms=[3, 3],
        are_empty=[True, True],
    )


def lease_waiting(last_offset: int) -> Callable[[Scene], object]:
    return lambda scene: run(
        "lease_waiting",
        token=OTHER_TOKEN,
        consumer="w",
        ack_wait=30.0,
        is_alone=False,
        delivery_ids=[scene.delivery.pk],
        last_offsets=[last_offset],
    )


def redrive_dead_letters(scene: Scene) -> None:
    dead_letter = DeadLetter.objects.create(
        group=scene.group, partition_id=scene.partition_id, offset=1, event=b"{}", reason="terminal", created_at=NOW
    )
    run(
        "redrive_dead_letters",
        dead_letter_ids=[dead_letter.pk],
        key_hashes=[None],
        group_id=scene.group.pk,
        requested_by="user:1",
        note="",
        bulk_action_id=None,
        edited_event=None,
        difference="",
    )


def take_exhausted(last_offset: int) -> Callable[[Scene], object]:
    return lambda scene: run(
        "take_exhausted", delivery_ids=[scene.delivery.pk], first_offsets=[1], last_offsets=[last_offset]
    )


def seek(offset: int) -> Callable[[Scene], object]:
    target = SeekTarget(SeekTo.OFFSET, offset=offset)
    return lambda scene: seek_group(stream=info(scene.group), group=scene.group, target=target)


def held(name: str, **offsets: Any) -> Callable[[Scene], object]:
    return lambda scene: run(name, token=scene.token, delivery_ids=[scene.delivery.pk], **offsets)


def lease_sorted(scene: Scene) -> None:
    run(
        "lease_sorted",
        group_id=scene.group.pk,
        partition_id=scene.partition_id,
        token=uuid4(),
        consumer="worker",
        ack_wait=30.0,
        after=5,
        first_offset=6,
        reached=8,
        in_order=False,
        is_alone=False,
        by_key=False,
        filtered=1,
        expired=0,
        first_offsets=[6, 8],
        last_offsets=[6, 8],
        are_held_up=[False, False],
        available_ats=[None, NOW + timedelta(hours=1)],
        due_ats=[None, None],
        event_expires_ats=[None, None],
        key_hashes=[None, None],
        lapsed_first_offsets=[],
        lapsed_last_offsets=[],
    )


def lease_sorted_by_key(scene: Scene) -> None:
    GroupOffset.objects.filter(group=scene.group).update(key_order_after=0)
    run(
        "lease_sorted",
        group_id=scene.group.pk,
        partition_id=scene.partition_id,
        token=uuid4(),
        consumer="worker",
        ack_wait=30.0,
        after=5,
        first_offset=6,
        reached=7,
        in_order=False,
        by_key=True,
        is_alone=False,
        filtered=0,
        expired=0,
        first_offsets=[6, 7],
        last_offsets=[6, 7],
        are_held_up=[False, True],
        available_ats=[None, None],
        due_ats=[None, None],
        event_expires_ats=[None, None],
        key_hashes=[KEY + 1, KEY + 1],
        lapsed_first_offsets=[],
        lapsed_last_offsets=[],
    )


def let_next_go(scene: Scene) -> None:
    run("let_next_go", group_id=scene.group.pk, partition_ids=[scene.partition_id], key_hashes=[KEY])


def lose_held_up(scene: Scene) -> None:
    run("lose_held_up", group_id=scene.group.pk, partition_id=scene.partition_id, earliest_offset=6)


def end_lapsed(scene: Scene) -> None:
    Delivery.objects.filter(pk=scene.delivery.pk, state__in=["waiting", "held_up"]).update(event_expires_at=NOW)
    run("end_lapsed", group_id=scene.group.pk, delivery_ids=[scene.delivery.pk])


PLAYS: dict[str, list[Callable[[Scene], Any]]] = {
    "lease_fresh": [lease_fresh],
    "deal_fresh": [deal_fresh],
    "lease_sorted": [lease_sorted, lease_sorted_by_key],
    "let_next_go": [let_next_go],
    "let_all_go": [lambda scene: run("let_all_go", group_id=scene.group.pk)],
    "lose_held_up": [lose_held_up],
    "lease_waiting": [lease_waiting(5), lease_waiting(3)],
    "leave_rest_waiting": [
        lambda scene: run("leave_rest_waiting", delivery_ids=[scene.delivery.pk], first_offsets=[4], last_offsets=[5])
    ],
    "add_pieces": [
        lambda scene: run("add_pieces", **pieces(scene, "waiting", first_offset=4)),
        lambda scene: run("add_pieces", **pieces(scene, "exhausted", first_offset=4)),
    ],
    "end_leases": [
        lambda scene: run("end_leases", tokens=[scene.token], **pieces(scene, "waiting", first_offset=1)),
        lambda scene: run("end_leases", tokens=[scene.token], **pieces(scene, "exhausted", first_offset=1)),
    ],
    "finish_deliveries": [lambda scene: run("finish_deliveries", **named(scene))],
    "extend_leases": [lambda scene: run("extend_leases", ack_waits=[36_000.0], **named(scene))],
    "retry_now": [lambda scene: run("retry_now", group_id=scene.group.pk, delivery_id=scene.delivery.pk)],
    "end_lapsed": [end_lapsed],
    "undo_leases": [held("undo_leases")],
    "lose_events": [held("lose_events")],
    "shrink_leases": [held("shrink_leases", first_offsets=[2], last_offsets=[4])],
    "take_exhausted": [take_exhausted(5), take_exhausted(3)],
    "redrive_dead_letters": [redrive_dead_letters],
    "consumers/services/seek.py: _seek": [seek(0), seek(3)],
    "consumers/services/groups.py: delete_group": [
        lambda scene: delete_group(group=scene.group, confirm=scene.group.name)
    ],
}
# What these insert is not a part of another delivery: it comes from nothing.
FROM_NOTHING = {"lease_fresh", "deal_fresh", "lease_sorted", "redrive_dead_letters"}
BY_FUNCTION = {
    "consumers/services/seek.py: _seek": {Act.SEEK},
    "consumers/services/groups.py: delete_group": {Act.DELETE},
}
TOKENS = ["end_leases", "finish_deliveries", "extend_leases", "undo_leases", "lose_events", "shrink_leases"]


# --- the play ---


def acts_of(name: str) -> set[Act]:
    if name in BY_FUNCTION:
        return BY_FUNCTION[name]
    line = re.search(r"^-- Acts +(.+)$", statements()[name], re.MULTILINE)
    assert line, f"{name}.sql writes deliveries: its header must name its acts"
    return {Act(act) for act in line[1].split(", ")}


def test_everything_that_writes_deliveries_is_played():
    assert set(PLAYS) == set(statements()) | set(functions())


def rows() -> dict[int, Mapping[str, Any]]:
    return {row["id"]: row for row in Delivery.objects.values()}


def observe(name: str, scene: Scene, play: Callable[[Scene], Any]) -> set[tuple[str | None, str | None]]:
    """From which state to which this play moves deliveries: nothing where it leaves them alone."""
    before = rows()
    play(scene)
    after = rows()
    moves: set[tuple[str | None, str | None]] = set()
    for pk, row in before.items():
        if after.get(pk) != row:
            moves.add((row["state"], after[pk]["state"] if pk in after else None))
    origin = None if name in FROM_NOTHING else scene.delivery.state
    moves |= {(origin, row["state"]) for pk, row in after.items() if pk not in before}
    return moves


def test_statements_move_deliveries_as_the_table_says_and_the_table_says_no_more():
    seen: dict[tuple[str | None, Act], set[str | None]] = {}
    for name, plays in PLAYS.items():
        for play in plays:
            for state in DeliveryState:
                for before, after in observe(name, set_scene(state), play):
                    for act in acts_of(name):
                        seen.setdefault((before, act), set()).add(after)

    assert seen == {key: set(states) for key, states in TRANSITIONS.items()}


@pytest.mark.parametrize("name", TOKENS)
def test_a_statement_that_asks_for_the_token_leaves_everything_alone_without_it(name):
    for play in PLAYS[name]:
        assert observe(name, set_scene(DeliveryState.LEASED), play)
        assert not observe(name, set_scene(DeliveryState.LEASED, token=OTHER_TOKEN), play)


def test_every_statement_that_could_ask_for_the_token_does():
    asking = {
        name for name, text in statements().items() if re.search(r"lease_token = \w+\.token|lease_token = %", text)
    }
    assert asking - {"lease_waiting"} == set(TOKENS)
