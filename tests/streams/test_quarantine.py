"""A topic that is not what it was: nothing is read of it or stored there until somebody has looked and accepted the loss."""

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from accounts.models import AuditEntry
from observability.operations.verify_log import verify_partition
from streams.conf import LOOKED_AT_TOPICS
from streams.log import SIGHTINGS
from streams.log.engines import get_engines
from streams.log.protocol import TopicSight
from streams.lookup import forget_streams, load_stream
from streams.models import Epoch, Partition, Stream
from streams.services.foreign_ends import look_at_ends
from streams.services.moving.asking import ask_for_move
from streams.services.moving.leftovers import forget_empty_stretches
from streams.services.moving.steps import carry_out
from streams.services.places import clear_places
from streams.services.quarantine import _turn, list_quarantined, look_at_topics
from tests.client import ApiClient
from tests.factories import make_key, make_owner


@pytest.fixture
def shop(distant):
    client = ApiClient(key=make_key(make_owner()))
    assert client.post("/streams", {"name": "orders", "engine": "distant"}).status_code == 201
    assert append(client, *range(1, 6)) == [1, 2, 3, 4, 5]
    look_at_ends()
    return client


def append(shop, *payloads, stream="orders"):
    answer = shop.post(f"/streams/{stream}/events", [{"payload": each} for each in payloads])
    assert answer.status_code == 202, answer.content
    return [each["offset"] for each in answer.json()["events"]]


def read(shop, last_offset=0):
    answer = shop.get("/streams/orders/events", last_offset=last_offset)
    assert answer.status_code == 200, answer.content
    return [(each["offset"], each["payload"]) for each in answer.json()], answer


def make_topic_anew(distant):
    """Somebody deletes the topic, and makes one of the same name."""
    (topic,) = distant.topics
    distant.topics[topic] = TopicSight("another", 1)
    (place,) = distant._partitions.values()
    place.batches, place.head_offset = [], 0


def cut_short(distant, *, keep):
    (place,) = distant._partitions.values()
    place.batches, place.head_offset = [[event] for event in place.events if event.offset <= keep], keep


def code_of(answer):
    return answer.status_code, answer.json()["code"]


def check_that_it_is_left_alone(shop, distant):
    distant.weather.calls.clear()
    for answer in (
        shop.post("/streams/orders/events", {"payload": 1}),
        shop.post("/streams/orders/events", {"payload": 1}, Idempotency_Key="k"),
        shop.get("/streams/orders/events", last_offset=0),
        shop.get("/streams/orders/events/0/3"),
    ):
        assert code_of(answer) == (503, "stream_quarantined"), answer.content
        assert answer["EventFlow-Stored"] == "no"
        assert int(answer["Retry-After"]) >= 30
        assert "release_stream orders" in answer.json()["detail"]
    assert look_at_ends() == 0
    assert distant.weather.calls == []


def test_a_topic_that_was_made_anew_is_left_alone(shop, distant):
    make_topic_anew(distant)
    assert [look_at_topics(now=timezone.now()) for _ in range(2)] == [1, 0]
    check_that_it_is_left_alone(shop, distant)
    assert "deleted, and made anew" in shop.get("/streams/orders/events", last_offset=0).json()["detail"]


def test_so_is_one_that_ends_below_what_was_seen_of_it(shop, distant):
    cut_short(distant, keep=3)
    look_at_ends()
    check_that_it_is_left_alone(shop, distant)
    assert "ends at 3, and had events up to 5" in shop.get("/streams/orders/events", last_offset=0).json()["detail"]


def test_what_is_stored_and_cannot_be_read_yet_is_not_lost(shop, distant, monkeypatch):
    bounds = distant.bounds

    def hidden(partitions):
        return {key: ends._replace(head_offset=3) for key, ends in bounds(partitions).items()}

    monkeypatch.setattr(distant, "bounds", hidden)
    look_at_ends()
    assert list_quarantined() == []


def test_nothing_else_is_touched(shop, distant):
    shop.post("/streams", {"name": "other", "engine": "distant"})
    shop.post("/streams", {"name": "here"})
    topics = dict(distant.topics)
    topics[next(each for each in topics if each.startswith("orders"))] = TopicSight("another", 1)
    distant.topics = topics
    look_at_topics(now=timezone.now())
    assert [each.stream for each in list_quarantined()] == ["orders"]
    for stream in ("other", "here"):
        assert append(shop, 1, stream=stream) == [1]
    assert shop.get("/streams").status_code == 200
    assert shop.get("/streams/orders").status_code == 200
    assert shop.get("/streams/orders/stats").status_code == 200


def test_it_is_told_where_the_installation_is_looked_after(shop, distant, client, capsys):
    assert 'eventflow_engine_quarantined_streams{engine="distant"} 0' in client.get("/metrics").content.decode()
    cut_short(distant, keep=3)
    look_at_ends()
    told = client.get("/readyz").json()
    (line,) = [each for each in told["degraded"] if "quarantine" in each]
    assert line.startswith("engine distant: streams in quarantine: 1")
    # Anybody may ask: who runs the installation is told by name.
    assert "orders" not in line
    assert "release_stream" in line
    call_command("release_stream")
    assert "orders, in distant: partition 0 ends at 3" in capsys.readouterr().err
    assert [each for each in told["reasons"] if "engine" in each] == []
    assert 'eventflow_engine_quarantined_streams{engine="distant"} 1' in client.get("/metrics").content.decode()
    assert AuditEntry.objects.filter(action="stream.quarantined", stream="orders").count() == 1


def test_of_very_many_topics_some_are_looked_at_at_a_time(shop):
    topics = [f"t{number:04d}" for number in range(2 * LOOKED_AT_TOPICS + 1)]
    now = timezone.now()
    turns = [_turn(topics, now.replace(microsecond=0) + timezone.timedelta(seconds=second)) for second in range(3)]
    assert sorted(each for turn in turns for each in turn) == topics
    assert max(map(len, turns)) == LOOKED_AT_TOPICS


def release(*more):
    forget_streams()
    call_command("release_stream", "orders", *more)
    forget_streams()
    # The command closes the engines, as it ends.
    get_engines()


@pytest.fixture
def kept_open(monkeypatch, distant):
    """The engine of this test is in memory, and would be gone with the command."""
    monkeypatch.setattr("observability.operations.command.close_log", lambda: None)


def test_what_would_be_lost_is_said_before_it_is_accepted(shop, distant, kept_open, capsys):
    make_topic_anew(distant)
    look_at_topics(now=timezone.now())
    with pytest.raises(CommandError, match="Nothing was changed"):
        release()
    assert "5 events are lost, offsets 1 to 5" in capsys.readouterr().err
    assert list_quarantined()


def test_a_new_topic_goes_on_behind_every_offset_that_was_told(shop, distant, kept_open):
    make_topic_anew(distant)
    look_at_topics(now=timezone.now())
    # A new topic begins at its own beginning; the engine of this test counts as we do.
    (place,) = distant._partitions.values()
    place.head_offset = 5
    release("--accept-loss")
    assert append(shop, "six", "seven") == [6, 7]
    events, answer = read(shop)
    assert events == [(6, "six"), (7, "seven")]
    assert answer["EventFlow-Gap"] == "1-5"
    row = Partition.objects.get()
    assert (row.earliest_offset, row.head_offset) == (6, 5)
    assert [each.topic_id for each in Epoch.objects.all()] == ["another"]
    assert AuditEntry.objects.get(action="stream.released").after == {"lost": {"0": [1, 5]}}


def test_what_is_left_of_one_that_was_cut_short_stays_readable(shop, distant, kept_open):
    cut_short(distant, keep=3)
    look_at_ends()
    release("--accept-loss")
    (place,) = distant._partitions.values()
    place.head_offset = 5
    assert append(shop, "six") == [6]
    assert read(shop)[0] == [(1, 1), (2, 2), (3, 3)]
    events, answer = read(shop, 3)
    assert (events, answer["EventFlow-Gap"]) == ([(6, "six")], "4-5")
    assert [(each.number, each.first_offset, each.last_offset) for each in Epoch.objects.order_by("number")] == [
        (1, 1, 3),
        (2, 6, None),
    ]
    SIGHTINGS.write()
    (partition,) = load_stream("orders").partitions
    assert [each.problem for each in verify_partition(partition, advance=lambda count: None)] == ["missing up to 5"]


def test_when_retention_has_taken_what_was_left_the_topic_stays_as_the_stream_goes_on_in_it(shop, distant, kept_open):
    cut_short(distant, keep=3)
    look_at_ends()
    release("--accept-loss")
    (place,) = distant._partitions.values()
    place.head_offset = 5
    assert append(shop, "six") == [6]
    (place,) = distant._partitions.values()
    place.batches = [[event] for event in place.events if event.offset > 3]
    now = timezone.now()
    assert forget_empty_stretches(now=now) == 1
    clear_places(now=now + timedelta(hours=1))
    forget_streams()
    assert read(shop)[0] == [(6, "six")]
    assert append(shop, "seven") == [7]
    assert [(each.number, each.first_offset) for each in Epoch.objects.all()] == [(2, 6)]


def test_what_is_lost_of_a_stretch_that_the_stream_has_left_is_said_before_it_is_accepted(
    shop, distant, kept_open, capsys
):
    carry_out(ask_for_move(stream=Stream.objects.get(), target="postgres", allow_weak=False))
    assert append(shop, "six") == [6]
    make_topic_anew(distant)
    look_at_topics(now=timezone.now())
    with pytest.raises(CommandError, match="Nothing was changed"):
        release()
    assert "5 events are lost, offsets 1 to 5" in capsys.readouterr().err
    release("--accept-loss")
    events, answer = read(shop)
    assert (events, answer["EventFlow-Gap"]) == ([(6, "six")], "1-5")
    assert Partition.objects.get().earliest_offset == 6
    assert append(shop, "seven") == [7]
    assert AuditEntry.objects.get(action="stream.released").after == {"lost": {"0": [1, 5]}}


def test_one_that_was_mended_in_the_engine_goes_on_without_a_loss(shop, distant, kept_open):
    (place,) = distant._partitions.values()
    before = list(place.batches)
    cut_short(distant, keep=3)
    look_at_ends()
    place.batches, place.head_offset = before, 5
    release()
    assert append(shop, 6) == [6]
    assert [offset for offset, _ in read(shop)[0]] == [1, 2, 3, 4, 5, 6]


def test_a_topic_that_is_not_there_has_to_be_made_first(shop, distant, kept_open):
    distant.topics.clear()
    with pytest.raises(CommandError, match=r"There is no topic orders\.\d+ in distant. Make one"):
        release("--accept-loss")


@pytest.mark.parametrize("stream", ["orders", "here"])
def test_a_stream_that_is_well_is_left_as_it_is_wherever_it_lies(shop, kept_open, capsys, stream):
    shop.post("/streams", {"name": "here"})
    call_command("release_stream", stream, "--accept-loss")
    assert "not in quarantine" in capsys.readouterr().err
    assert not AuditEntry.objects.filter(action="stream.released").exists()
