"""Following a stream by server-sent events: what is written, where it goes on, and what is refused."""

import pytest
from django.utils import timezone

from accounts.http.event_stream import write_event
from consumers.offset_headers import write_vector
from streams.log import get_log
from streams.lookup import load_stream
from streams.services.lifecycle import change_stream
from tests.client import ApiClient
from tests.factories import make_key, make_owner, make_stream
from tests.live import Block, read_blocks

pytestmark = pytest.mark.usefixtures("db_with_commits")

LIVE = "/streams/orders/events/live"


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture
def stream(owner):
    return make_stream("orders", owner=owner)


@pytest.fixture
def api(owner, stream):
    return ApiClient(key=make_key(owner))


def append(api: ApiClient, *events: dict) -> None:
    assert api.post("/streams/orders/events", list(events)).status_code == 202


def follow(api: ApiClient, last_id: str | None = None, **parameters) -> list[Block]:
    """What is there already: Django's own handler cannot tell when to stop, so it does not begin to wait."""
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    answer = api.get(LIVE, headers=headers, **parameters)
    assert answer.status_code == 200, answer.content
    assert answer.headers["Content-Type"] == "text/event-stream"
    return read_blocks(answer.content)


def events_in(blocks: list[Block]) -> list[Block]:
    return [block for block in blocks if block.is_event]


# --- what is written ------------------------------------------------------------------------------------------


def test_an_event_is_a_message_as_a_poll_gives_it_with_the_place_after_it(api):
    append(api, {"payload": {"text": "a\nb"}, "type": "order.created"}, {"payload": 2})
    blocks = events_in(follow(api, last_offset=0))
    assert [(block.id, block.kind) for block in blocks] == [("0=1", "message"), ("0=2", "message")]
    assert [block.json() for block in blocks] == api.get("/streams/orders/events").json()


def test_it_begins_with_when_to_come_again_and_the_place_where_it_begins(api):
    append(api, {"payload": 1}, {"payload": 2})
    first, sign_of_life = follow(api)
    assert (sign_of_life.id, sign_of_life.comments) == (None, [""])
    assert (first.id, first.is_event) == ("0=2", False)
    assert 1_000 <= int(first.retry) <= 3_000


def test_a_carriage_return_between_values_does_not_end_the_line(api):
    body = b'{"payload": {"a":\r[1,\r\t2]}}'
    assert api.post("/streams/orders/events", body).status_code == 202
    [block] = events_in(follow(api, last_offset=0))
    assert len(block.data) == 1
    assert block.json()["payload"] == {"a": [1, 2]}


@pytest.mark.parametrize("line_end", [b"\r", b"\r\r"])
def test_no_written_event_has_a_line_end_of_its_own(line_end):
    assert b"\r" not in write_event(b'{"a":' + line_end + b"1}", event_id="0=1")


def test_payloads_come_as_they_were_sent(api):
    sent = b'{"big":123456789012345678901234567890,"nul":"\\u0000","line":"\\u2028","twice":1,"twice":2}'
    assert api.post("/streams/orders/events", b'{"payload":' + sent + b"}").status_code == 202
    answer = api.get(LIVE, last_offset=0)
    assert b'"payload":' + sent + b"}\n\n" in answer.content


# --- where it goes on -----------------------------------------------------------------------------------------


def test_the_id_that_came_last_is_where_it_goes_on(api):
    append(api, *({"payload": number} for number in range(5)))
    assert [block.json()["offset"] for block in events_in(follow(api, last_id="0=3"))] == [4, 5]


def test_the_id_goes_before_what_the_address_says(api):
    append(api, *({"payload": number} for number in range(5)))
    assert [block.id for block in events_in(follow(api, last_id="0=4", last_offset="earliest"))] == ["0=5"]


def test_each_place_in_a_stream_of_several_partitions_goes_on_without_a_gap_or_a_double(owner):
    make_stream("wide", owner=owner, partitions=40)
    api = ApiClient(key=make_key(owner))
    sent = [{"key": f"k{number}", "payload": number} for number in range(100)]
    assert api.post("/streams/wide/events", sent).status_code == 202

    def ask(**headers):
        answer = api.get("/streams/wide/events/live", last_offset="earliest", headers=headers)
        return events_in(read_blocks(answer.content))

    whole = ask()
    assert sorted(block.json()["payload"] for block in whole) == list(range(100))
    for cut in (0, 1, 50, 98):
        assert whole[cut].id.startswith("packed.")
        seen = {block.json()["payload"] for block in whole[: cut + 1]}
        rest = [block.json()["payload"] for block in ask(Last_Event_ID=whole[cut].id)]
        assert seen.isdisjoint(rest)
        assert seen | set(rest) == set(range(100))


def test_an_id_from_before_partitions_were_added_goes_on_in_all_of_them(api, stream):
    append(api, {"payload": 1, "key": "a"})
    [before] = events_in(follow(api, last_offset=0))
    change_stream(stream=stream, changes={"partition_count": 3}, now=timezone.now(), confirm="orders")
    append(api, *({"payload": number, "key": f"k{number}"} for number in range(2, 30)))
    after = events_in(follow(api, last_id=before.id))
    assert sorted(block.json()["payload"] for block in after) == list(range(2, 30))
    assert after[-1].id == write_vector(
        {each.number: get_log().bounds([each])[each.id].head_offset for each in load_stream("orders").partitions}
    )


def test_one_write_carries_a_quarter_of_a_mebibyte_and_the_rest_is_where_it_goes_on(api):
    append(api, *({"payload": "x" * 100_000} for _ in range(5)))
    first = follow(api, last_offset=0)
    assert [block.json()["offset"] for block in events_in(first)] == [1, 2]
    assert [block.json()["offset"] for block in events_in(follow(api, last_id=first[-1].id))] == [3, 4]


# --- what it leaves out ---------------------------------------------------------------------------------------


def test_only_the_types_that_were_asked_for_and_the_place_moves_past_the_others(api):
    append(api, *({"payload": number, "type": "odd" if number % 2 else "even"} for number in range(1, 7)))
    blocks = follow(api, last_offset=0, type="odd,none")
    assert [block.json()["payload"] for block in events_in(blocks)] == [1, 3, 5]
    assert [block.id for block in events_in(blocks)] == ["0=1", "0=3", "0=5"]
    assert (blocks[-1].id, blocks[-1].is_event) == ("0=6", False)


def test_only_the_partition_that_was_asked_for(owner):
    make_stream("wide", owner=owner, partitions=3)
    api = ApiClient(key=make_key(owner))
    api.post("/streams/wide/events", [{"key": f"k{number}", "payload": number} for number in range(30)])
    answer = api.get("/streams/wide/events/live", partition=1, last_offset=0)
    blocks = events_in(read_blocks(answer.content))
    assert {block.json()["partition"] for block in blocks} == {1}
    assert [block.id for block in blocks] == [f"1={offset}" for offset in range(1, len(blocks) + 1)]


def test_what_retention_took_is_said_before_what_is_left(api):
    for number in range(4):
        append(api, {"payload": number})
    [partition] = load_stream("orders").partitions
    get_log().trim(partition, keep_events=2)
    blocks = events_in(follow(api, last_id="0=1"))
    assert [(block.kind, block.id) for block in blocks] == [("gap", "0=2"), ("message", "0=3"), ("message", "0=4")]
    assert blocks[0].json() == {"partition": 0, "first_offset": 2, "last_offset": 2}


def test_what_retention_took_is_said_where_nothing_is_left(api):
    append(api, {"payload": 1})
    append(api, {"payload": 2})
    [partition] = load_stream("orders").partitions
    while get_log().trim(partition, keep_events=0):
        pass
    [gap] = events_in(follow(api, last_id="0=0"))
    assert (gap.kind, gap.id) == ("gap", "0=2")
    assert gap.json() == {"partition": 0, "first_offset": 1, "last_offset": 2}


# --- what is refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "last_id",
    [
        *("", " ", "latest", "earliest", "x", "-1", "01", "1.5", "1e3", "٣", "null", "0=", "=1", "0=1,", "0=1,0=2"),
        *("1=1", "0=-1", "0=1;1=2", f"0={2**63}", str(2**63), "packed.", "packed.AAAA", "packed.!", "0=1\t", "0x1"),
        "0=1," * 1_000,
    ],
)
def test_an_id_that_was_never_given_is_refused(api, last_id):
    answer = api.get(LIVE, headers={"Last-Event-ID": last_id.encode().decode("latin-1")})
    assert answer.status_code == 422, answer.content
    problem = answer.json()
    assert (problem["code"], problem["errors"][0]["pointer"]) == ("invalid_parameter", "?Last-Event-ID")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("last_offset=-1", "invalid_parameter"),
        ("last_offset=newest", "invalid_parameter"),
        ("last_offset=", "invalid_parameter"),
        ("last_offset=1&last_offset=2", "invalid_parameter"),
        (f"last_offset={2**63}", "invalid_parameter"),
        ("partition=-1", "invalid_parameter"),
        ("partition=a", "invalid_parameter"),
        ("type=", "invalid_parameter"),
        ("type=a,,b", "invalid_parameter"),
        ("type=%00", "invalid_parameter"),
        ("wait=1", "unknown_field"),
        ("consumer_group_id=readers", "unknown_field"),
        ("limit=1", "unknown_field"),
        ("X-API-Key=secret", "unknown_field"),
    ],
)
def test_a_parameter_that_makes_no_sense_is_refused(api, query, code):
    answer = api.get(f"{LIVE}?{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_a_plain_number_does_not_say_where_to_begin_in_several_partitions(owner):
    make_stream("wide", owner=owner, partitions=3)
    answer = ApiClient(key=make_key(owner)).get("/streams/wide/events/live", last_offset=3)
    assert (answer.status_code, answer.json()["code"]) == (422, "partition_required")


def test_a_partition_that_does_not_exist_is_missing(api):
    answer = api.get(LIVE, partition=7)
    assert (answer.status_code, answer.json()["code"]) == (404, "partition_not_found")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
def test_there_is_nothing_to_do_but_read(api, method):
    answer = getattr(api.client, method)(f"/api/v1{LIVE}", headers=api.headers)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_head_tells_whether_it_could_be_followed_and_follows_nothing(api):
    answer = api.client.head(f"/api/v1{LIVE}", headers=api.headers)
    assert (answer.status_code, answer.headers["Content-Type"], answer.content) == (200, "text/event-stream", b"")
    refused = api.client.head(f"/api/v1{LIVE}", headers=api.headers | {"Last-Event-ID": "x"})
    assert refused.status_code == 422
