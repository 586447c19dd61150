"""A stream is moved to another engine and back while it is used: who appends and reads need not know."""

import time
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.audit_actions import AuditAction
from accounts.models import AuditEntry
from streams.errors import MoveRefused, MoveUnderWay, NoMoveUnderWay, UnknownEngine
from streams.log import SIGHTINGS, close_log, current_epochs, get_log
from streams.lookup import forget_streams, load_stream
from streams.models import Epoch, MoveState, Partition, PlaceToClear, Stream, StreamMove, UnfinishedAppend
from streams.services import receipts
from streams.services.foreign_ends import look_at_ends
from streams.services.lifecycle import change_stream, delete_stream
from streams.services.moving import steps
from streams.services.moving.asking import abort_move, ask_for_move, find_move_under_way
from streams.services.moving.leftovers import forget_empty_stretches
from streams.services.moving.plan import foresee_move
from streams.services.moving.steps import carry_on_moves, carry_out
from streams.services.places import clear_places
from tests.client import ApiClient
from tests.factories import make_key, make_owner, make_stream
from tests.run.instance import wait_for
from tests.threads import Work


@pytest.fixture
def owner(distant):
    return make_owner()


@pytest.fixture
def shop(owner):
    return ApiClient(key=make_key(owner))


@pytest.fixture
def stream(owner):
    return make_stream("orders", owner=owner, partitions=2)


def move(stream, target):
    stream.refresh_from_db()
    moved = carry_out(ask_for_move(stream=stream, target=target, allow_weak=True))
    assert (moved.state, moved.problem) == (MoveState.MOVED, "")
    return moved


def append(shop, *numbers, **headers):
    answer = shop.post("/streams/orders/events", [{"key": str(each), "payload": each} for each in numbers], **headers)
    assert answer.status_code == 202, answer.content
    return {(each["partition"], each["offset"]): n for each, n in zip(answer.json()["events"], numbers, strict=True)}


def read_all(shop):
    found = {}
    for number in range(2):
        position = 0
        while events := shop.get("/streams/orders/events", last_offset=position, partition=number, limit=3).json():
            assert [each["offset"] for each in events] == list(range(position + 1, position + 1 + len(events)))
            found |= {(number, each["offset"]): each["payload"] for each in events}
            position = events[-1]["offset"]
    return found


def test_there_and_back_every_event_is_where_its_answer_said(shop, stream, distant):
    told = append(shop, *range(10))
    move(stream, "distant")
    assert shop.get("/streams/orders").json()["engine"] == "distant"
    told |= append(shop, *range(10, 20))
    move(stream, "postgres")
    told |= append(shop, *range(20, 30))
    move(stream, "distant")
    told |= append(shop, *range(30, 40))
    assert len(told) == 40
    assert read_all(shop) == told


def test_from_one_engine_to_another_and_back(shop, stream, distant, settings):
    settings.EVENTFLOW_ENGINES = dict.fromkeys(("distant", "beyond"), settings.EVENTFLOW_ENGINES["distant"])
    close_log()
    told = {}
    for turn, target in enumerate(("distant", "beyond", "distant", "beyond", "postgres", "beyond")):
        told |= append(shop, *range(turn * 10, turn * 10 + 5), Idempotency_Key=target + str(turn))
        move(stream, target)
    told |= append(shop, 100, 101)
    assert len(told) == 32
    assert read_all(shop) == told


def test_a_worker_that_remembers_an_older_place_appends_and_reads_all_the_same(shop, stream, monkeypatch):
    told = append(shop, *range(4))
    before = load_stream("orders")
    move(stream, "distant")
    told |= append(shop, *range(4, 8))
    there = load_stream("orders")
    move(stream, "postgres")
    told |= append(shop, *range(8, 12))
    for info in (before, there, load_stream("orders")):
        found = {}
        for partition in info.partitions:
            position = 0
            while (result := get_log().read(partition, after=position, max_events=2, max_bytes=1 << 20)).events:
                found |= {(partition.number, offset): None for offset in result.offsets}
                position = result.next_offset
        assert found.keys() == told.keys()
        heads = {each.number: get_log().bounds([each])[each.id].head_offset for each in info.partitions}
        assert sum(heads.values()) == 12


def test_who_remembers_a_stream_from_before_it_was_away_reads_what_came_there_though_nothing_came_since(shop, stream):
    before = load_stream("orders")
    move(stream, "distant")
    told = append(shop, *range(6))
    move(stream, "postgres")
    found = {}
    for partition in before.partitions:
        result = get_log().read(partition, after=0, max_events=10, max_bytes=1 << 20)
        found |= {(partition.number, offset): None for offset in result.offsets}
        assert result.next_offset == result.bounds.head_offset
    assert found.keys() == told.keys()


def test_who_remembers_where_it_was_reads_on_when_nothing_tells_of_the_move_any_more(shop, stream, monkeypatch):
    # As a second later.
    monkeypatch.setattr(current_epochs, "EPOCH_MEMORY_SECONDS", 0.0)
    move(stream, "distant")
    there = load_stream("orders")
    move(stream, "postgres")
    while forget_empty_stretches(now=timezone.now()):
        pass
    assert not Epoch.objects.exists()
    told = append(shop, *range(6))
    found = {}
    for partition in there.partitions:
        result = get_log().read(partition, after=0, max_events=10, max_bytes=1 << 20)
        found |= {(partition.number, offset): None for offset in result.offsets}
    assert found.keys() == told.keys()


def test_a_receipt_from_before_a_move_answers_as_before(shop, stream):
    body = [{"payload": n} for n in range(3)]
    for target in ("distant", "postgres", "distant"):
        key = f"before-{target}-{len(read_all(shop))}"
        first = shop.post("/streams/orders/events", body, Idempotency_Key=key)
        move(stream, target)
        again = shop.post("/streams/orders/events", body, Idempotency_Key=key)
        assert again.status_code == 202, again.content
        assert (again["Idempotent-Replayed"], again.content) == ("true", first.content)
    assert len(read_all(shop)) == 9


def test_its_events_leave_by_retention_and_then_nothing_tells_of_the_move(shop, stream):
    append(shop, *range(10))
    move(stream, "distant")
    append(shop, *range(10, 20))
    move(stream, "postgres")
    last = append(shop, *range(20, 30))
    assert forget_empty_stretches(now=timezone.now()) == 0
    info = load_stream("orders")
    for partition in info.partitions:
        while get_log().trim(partition, keep_events=1):
            look_at_ends()
    assert forget_empty_stretches(now=timezone.now()) == 1
    assert forget_empty_stretches(now=timezone.now()) == 1
    stream.refresh_from_db()
    assert not stream.has_epochs
    assert not Epoch.objects.exists()
    assert PlaceToClear.objects.get().topic == f"orders.{info.partitions[0].id}-2"
    forget_streams()
    kept = {}
    for number in range(2):
        events = shop.get("/streams/orders/events", last_offset=0, partition=number).json()
        kept |= {(number, event["offset"]): event["payload"] for event in events}
    assert kept == last
    assert append(shop, 99)


def test_what_is_refused_there_is_refused_before(stream):
    Stream.objects.filter(pk=stream.pk).update(deduplicate_ids_seconds=60)
    stream.refresh_from_db()
    with pytest.raises(MoveRefused, match="does not offer `deduplicate_ids`"):
        ask_for_move(stream=stream, target="distant", allow_weak=False)
    with pytest.raises(UnknownEngine):
        ask_for_move(stream=stream, target="nowhere", allow_weak=False)
    with pytest.raises(MoveRefused, match="lies in postgres already"):
        ask_for_move(stream=stream, target="postgres", allow_weak=False)
    assert not StreamMove.objects.exists()


def test_what_is_different_there_is_said_before(shop, stream):
    shop.post("/streams/orders/events", {"payload": 1, "deliver_after": 3600})
    told = " ".join(foresee_move(stream=stream, target="distant", allow_weak=False).warnings)
    for word in ("If-Head", "deliver_after", "erases", "partitions", "Idempotency-Key", "handed out as before"):
        assert word in told


def test_what_is_changed_meanwhile_so_that_it_would_not_do_ends_the_move(stream):
    asked = ask_for_move(stream=stream, target="distant", allow_weak=False)
    Stream.objects.filter(pk=stream.pk).update(deduplicate_ids_seconds=60)
    ended = carry_out(asked)
    assert ended.state == MoveState.ABORTED
    assert "deduplicate_ids" in ended.problem
    stream.refresh_from_db()
    assert stream.engine == "postgres"
    assert PlaceToClear.objects.get().topic == asked.topic


def test_one_move_at_a_time_and_no_partitions_meanwhile(stream):
    ask_for_move(stream=stream, target="distant", allow_weak=False)
    with pytest.raises(MoveRefused, match="is being moved"):
        ask_for_move(stream=stream, target="distant", allow_weak=False)
    with pytest.raises(MoveUnderWay):
        change_stream(stream=stream, changes={"partition_count": 5}, now=timezone.now(), confirm="orders")


def test_an_engine_that_is_away_puts_it_off_and_appends_go_on(shop, stream, distant):
    asked = ask_for_move(stream=stream, target="distant", allow_weak=False)
    distant.weather.is_away = True
    put_off = carry_out(asked)
    assert (put_off.state, put_off.finished_at) == (MoveState.PLANNED, None)
    assert "away" in put_off.problem
    assert append(shop, 1)
    distant.weather.is_away = False
    # Not at once again.
    assert carry_on_moves() == 0
    StreamMove.objects.update(worked_until=timezone.now())
    steps.get_routed_log()._engines.get("distant").breaker._failures = 0
    assert carry_on_moves() == 1
    assert append(shop, 2)
    assert shop.get("/streams/orders").json()["engine"] == "distant"


def test_a_worker_whose_clock_is_ahead_takes_over_no_move_that_another_works_at(shop, stream, monkeypatch):
    asked = ask_for_move(stream=stream, target="distant", allow_weak=False)
    right_time, at_work = timezone.now, uuid4()
    assert steps._take(asked, at_work, is_taken_over=False)
    with monkeypatch.context() as patch:
        patch.setattr(timezone, "now", lambda: right_time() + timedelta(hours=1))
        assert carry_on_moves() == 0
    asked.refresh_from_db()
    assert (asked.state, asked.worker) == (MoveState.PLANNED, at_work)


@pytest.mark.parametrize("target", ["distant", "postgres"])
def test_a_move_that_was_ended_by_hand_leaves_nothing(shop, stream, target, distant):
    told = append(shop, *range(5))
    if target == "postgres":
        move(stream, "distant")
        stream.refresh_from_db()
    ask_for_move(stream=stream, target=target, allow_weak=False)
    assert abort_move(move=find_move_under_way(stream)).state == MoveState.ABORTED
    with pytest.raises(NoMoveUnderWay):
        abort_move(move=find_move_under_way(stream))
    told |= append(shop, *range(5, 10))
    assert read_all(shop) == told
    clear_places(now=timezone.now())
    move(stream, target)
    told |= append(shop, *range(10, 15))
    assert read_all(shop) == told


def test_a_place_that_is_closed_opens_when_the_move_is_ended(shop, stream, distant, monkeypatch):
    move(stream, "distant")
    stream.refresh_from_db()
    asked = ask_for_move(stream=stream, target="postgres", allow_weak=False)
    StreamMove.objects.filter(pk=asked.pk).update(state=MoveState.FENCING)
    distant.fence(load_stream("orders").partitions)
    monkeypatch.setattr("streams.log.moving_appends.FENCE_PATIENCE_SECONDS", 0.1)
    refused = shop.post("/streams/orders/events", {"payload": 1})
    assert (refused.status_code, refused.json()["code"]) == (503, "not_stored")
    assert refused["EventFlow-Stored"] == "no"
    abort_move(move=find_move_under_way(stream))
    assert append(shop, 1)


@pytest.mark.parametrize("is_taken_over", [False, True], ids=["goes on", "taken over"])
def test_a_request_with_a_key_that_waits_for_long_goes_on_unless_somebody_has_taken_it_over(
    shop, stream, distant, monkeypatch, is_taken_over
):
    move(stream, "distant")
    stream.refresh_from_db()
    asked = ask_for_move(stream=stream, target="postgres", allow_weak=False)
    StreamMove.objects.filter(pk=asked.pk).update(state=MoveState.FENCING)
    distant.fence(load_stream("orders").partitions)
    monkeypatch.setattr(receipts, "SEND_WITHIN_SECONDS", 0.5)
    waiting = Work(lambda: shop.post("/streams/orders/events", {"payload": 1}, Idempotency_Key="k"))
    wait_for("it has claimed its key", UnfinishedAppend.objects.exists)
    time.sleep(1)
    if is_taken_over:
        UnfinishedAppend.objects.update(tried_at=timezone.now())
    abort_move(move=find_move_under_way(stream))
    answer = waiting.result(20)
    if is_taken_over:
        assert (answer.status_code, answer.json()["code"]) == (503, "outcome_unknown")
        assert read_all(shop) == {}
    else:
        assert answer.status_code == 202, answer.content
        assert list(read_all(shop).values()) == [1]


def test_over_http_a_move_is_looked_at_and_ended(shop, stream, distant):
    asked = shop.post("/streams/orders/moves", {"to": "distant"})
    address = asked["Location"].removeprefix("/api/v1")
    assert shop.get(address).json() == asked.json()
    ended = shop.delete(address)
    assert (ended.status_code, ended.json()["state"]) == (200, "aborted")
    assert ended.json()["problem"] == "It was ended by hand."
    again = shop.delete(address)
    assert (again.status_code, again.json()["code"]) == (409, "no_move_under_way")
    for unknown in ("0", "x", str(2**70)):
        nothing = shop.get(f"/streams/orders/moves/{unknown}")
        assert (nothing.status_code, nothing.json()["code"]) == (404, "move_not_found")
    # Of another stream's moves it says nothing.
    shop.post("/streams", {"name": "other"})
    assert shop.delete(address.replace("orders", "other")).status_code == 404
    # The way is free for another one.
    assert shop.post("/streams/orders/moves", {"to": "distant"}).status_code == 202


def test_while_the_old_place_cannot_be_opened_a_move_is_not_ended(shop, stream, distant):
    move(stream, "distant")
    stream.refresh_from_db()
    asked = ask_for_move(stream=stream, target="postgres", allow_weak=False)
    StreamMove.objects.filter(pk=asked.pk).update(state=MoveState.FENCING)
    distant.weather.is_away = True
    refused = shop.delete(f"/streams/orders/moves/{asked.pk}")
    assert (refused.status_code, refused.json()["code"]) == (503, "engine_unavailable")
    distant.weather.is_away = False
    assert shop.delete(f"/streams/orders/moves/{asked.pk}").status_code == 200


def test_a_stream_that_is_deleted_takes_all_its_places_along(shop, stream, distant):
    append(shop, 1)
    move(stream, "distant")
    move(stream, "postgres")
    stream.refresh_from_db()
    asked = ask_for_move(stream=stream, target="distant", allow_weak=False)
    delete_stream(stream=stream, confirm="orders")
    topics = set(PlaceToClear.objects.values_list("topic", flat=True))
    assert asked.topic in topics
    assert len(topics) == 2


def test_the_audit_trail_tells_who_moved_what_where(stream):
    move(stream, "distant")
    stream.refresh_from_db()
    ask_for_move(stream=stream, target="postgres", allow_weak=False)
    abort_move(move=find_move_under_way(stream))
    moves = AuditEntry.objects.filter(action__startswith="stream.move")
    told = list(moves.order_by("pk").values_list("action", "before__engine", "after__engine"))
    assert told == [
        (AuditAction.STREAM_MOVE_ASKED, "postgres", "distant"),
        (AuditAction.STREAM_MOVED, "postgres", "distant"),
        (AuditAction.STREAM_MOVE_ASKED, "distant", "postgres"),
        (AuditAction.STREAM_MOVE_ABORTED, "distant", "postgres"),
    ]


def test_the_command_says_what_would_change_and_does_it(shop, stream, capsys):
    append(shop, 1)
    call_command("move_stream", "orders", "--to", "distant", "--dry-run")
    assert "Nothing stands in the way" in capsys.readouterr().err
    assert shop.get("/streams/orders").json()["engine"] == "postgres"


def test_the_command_moves_and_refuses_in_words(stream, capsys):
    with pytest.raises(CommandError, match="There is no engine of that alias"):
        call_command("move_stream", "orders", "--to", "nowhere")
    with pytest.raises(CommandError, match="No move of orders is under way"):
        call_command("move_stream", "orders", "--resume")
    with pytest.raises(CommandError, match="no such stream"):
        call_command("move_stream", "missing", "--abort")


def test_counters_of_partitions_that_came_back_are_their_own_again(shop, stream):
    append(shop, *range(10))
    move(stream, "distant")
    append(shop, *range(10, 20))
    SIGHTINGS.write()
    move(stream, "postgres")
    told = append(shop, *range(20, 30))
    # What a worker saw before the move is written down after it.
    SIGHTINGS.write()
    look_at_ends()
    heads = dict(Partition.objects.values_list("number", "head_offset"))
    assert heads == {number: max(offset for each, offset in told if each == number) for number in heads}


# --- over HTTP ---------------------------------------------------------------------------------------------


def test_over_http_it_is_foreseen_asked_for_and_seen(shop, stream):
    append(shop, *range(4))
    foreseen = shop.post("/streams/orders/moves", {"to": "distant", "dry_run": True})
    assert foreseen.status_code == 200, foreseen.content
    assert (foreseen.json()["from"], foreseen.json()["to"], foreseen.json()["refusals"]) == ("postgres", "distant", [])
    assert not StreamMove.objects.exists()

    asked = shop.post("/streams/orders/moves", {"to": "distant"}, Idempotency_Key="move")
    assert asked.status_code == 202, asked.content
    assert asked.json()["state"] == "planned"
    assert [each["state"] for each in asked.json()["partitions"]] == ["waiting", "waiting"]
    again = shop.post("/streams/orders/moves", {"to": "distant"}, Idempotency_Key="move")
    assert (again.status_code, again["Idempotent-Replayed"], again.json()) == (202, "true", asked.json())

    assert carry_on_moves() == 1
    (moved,) = shop.get("/streams/orders/moves").json()["data"]
    assert (moved["id"], moved["state"], moved["problem"]) == (asked.json()["id"], "moved", "")
    assert moved["finished_at"]
    heads = dict(Partition.objects.values_list("number", "head_offset"))
    assert moved["partitions"] == [
        {"partition": number, "state": "moved", "first_offset": heads[number] + 1} for number in range(2)
    ]


def test_over_http_what_stands_in_the_way_is_said(shop, stream):
    refused = shop.post("/streams/orders/moves", {"to": "postgres"})
    assert (refused.status_code, refused.json()["code"]) == (409, "move_refused")
    assert "lies in postgres already" in refused.json()["detail"]
    unknown = shop.post("/streams/orders/moves", {"to": "nowhere"})
    assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown_engine")
    wrong = shop.post("/streams/orders/moves", {"to": "distant", "engine": "x"})
    assert wrong.status_code == 422
    assert not StreamMove.objects.exists()
