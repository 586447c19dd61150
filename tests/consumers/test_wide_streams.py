"""Polls of streams with many partitions: their answers' headers are short, and still say where to go on."""

import base64
import http.client
import random
import struct

import pytest

from consumers.offset_headers import MAX_NAMED_PARTITIONS, read_vector, write_offset_headers
from consumers.services.reading import MAX_GAPS
from streams.conf import MAX_OFFSET, MAX_PARTITIONS
from streams.log import get_log
from streams.log.protocol import Gap
from streams.lookup import load_stream
from streams.models import Partition, Stream
from tests.client import ApiClient
from tests.factories import make_group, make_key, make_owner, make_stream
from tests.nginx import nginx_before
from tests.web_server import WebServer

# What nginx has for the head of an answer unless told otherwise, and what of it is for all other headers.
NGINX_BYTES = 4096
OTHER_BYTES = 900


@pytest.mark.parametrize("partitions", [1, 2, MAX_NAMED_PARTITIONS, MAX_NAMED_PARTITIONS + 1, MAX_PARTITIONS])
def test_whatever_the_offsets_are_the_headers_fit_what_a_proxy_has_for_them(partitions):
    largest = dict.fromkeys(range(partitions), MAX_OFFSET)
    gap = Gap(MAX_OFFSET - 1, MAX_OFFSET)
    gaps = dict.fromkeys(list(largest)[-MAX_GAPS:], gap)
    headers = write_offset_headers(next_offsets=largest, head_offsets=largest, lags=largest, gaps=gaps)
    assert sum(len(f"{name}: {value}\r\n") for name, value in headers.items()) <= NGINX_BYTES - OTHER_BYTES


@pytest.mark.parametrize("partitions", [2, MAX_NAMED_PARTITIONS, MAX_NAMED_PARTITIONS + 1, MAX_PARTITIONS])
def test_a_vector_is_read_as_it_was_written(partitions):
    chance = random.Random(partitions)
    offsets = {number: chance.choice([0, 1, MAX_OFFSET, chance.randrange(MAX_OFFSET)]) for number in range(partitions)}
    text = write_offset_headers(next_offsets=offsets, head_offsets=offsets, lags=offsets, gaps={})
    assert read_vector(text["EventFlow-Next-Offset"], offsets.keys()) == offsets


@pytest.mark.parametrize(
    "text",
    [
        "packed.",
        "packed.AAAAAAAAAAA",
        "packed.AAAAAAAAAAAAAAAAAAAAA=",
        "packed.AAAAAAAAAAA~AAAAAAAAAA",
        "packed.gAAAAAAAAAAAAAAAAAAAAA",
        "packed." + "A" * 2732,
        "0=1",
        "0=1,0=1",
        "0=1,2=1",
        "0=1,1=9223372036854775808",
        "0=1,1=x",
    ],
)
def test_what_is_no_vector_of_two_partitions_is_none(text):
    assert read_vector(text, {0, 1}) is None


@pytest.mark.usefixtures("db_with_commits")
class TestOverHttp:
    @pytest.fixture
    def owner(self):
        return make_owner()

    @pytest.fixture
    def client(self, owner):
        make_stream("wide", owner=owner, partitions=MAX_PARTITIONS)
        return ApiClient(key=make_key(owner))

    def append(self, client, count):
        body = [{"stream": "wide", "key": f"k{n}", "payload": n} for n in range(count)]
        answer = client.post("/events", body)
        assert answer.status_code == 202, answer.content
        return answer.json()["events"]

    def test_the_next_offset_is_passed_on_and_drops_nothing(self, client):
        self.append(client, 900)
        seen, after = [], "earliest"
        for _ in range(12):
            response = client.get("/streams/wide/events", last_offset=after, limit=90)
            assert response.status_code == 200, response.content
            seen += [event["payload"] for event in response.json()]
            after = response.headers["EventFlow-Next-Offset"]
        assert sorted(seen) == list(range(900))
        assert response.headers["EventFlow-Lag"] == "*=0"
        refused = client.get("/streams/wide/events", last_offset=after[:-11])
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_parameter")

    def test_a_client_can_unpack_it_and_lag_is_told_as_one_sum(self, client, owner):
        make_group(Stream.objects.get(name="wide"), "readers", owner=owner)
        sent = self.append(client, 300)
        response = client.get("/streams/wide/events", consumer_group_id="readers", limit=1000)
        assert response.headers["EventFlow-Lag"] == "*=300"
        assert "EventFlow-Head-Offset" not in response.headers
        # As docs/api.md says it.
        packed = response.headers["EventFlow-Next-Offset"].removeprefix("packed.")
        offsets = struct.unpack(f">{MAX_PARTITIONS}q", base64.urlsafe_b64decode(packed + "=="))
        heads = dict.fromkeys(range(MAX_PARTITIONS), 0)
        for event in sent:
            heads[event["partition"]] = max(heads[event["partition"]], event["offset"])
        assert list(offsets) == [heads[number] for number in range(MAX_PARTITIONS)]

    def test_no_gap_is_passed_over_although_an_answer_tells_of_few(self, client):
        for _ in range(2):
            self.append(client, 900)
        partitions = load_stream("wide").partitions
        lost = [partition for partition in partitions if get_log().bounds([partition])[partition.id].head_offset > 1]
        for partition in lost:
            get_log().trim(partition, keep_events=1)
        earliest = {each.number: get_log().bounds([each])[each.id].earliest_offset for each in lost}
        lost = [each for each in lost if earliest[each.number] > 1]
        assert len(lost) > 2 * MAX_GAPS
        told, after = set(), "earliest"
        for _ in range(len(lost)):
            response = client.get("/streams/wide/events", last_offset=after, limit=1000)
            gaps = [gap.partition("=") for gap in response.headers.get("EventFlow-Gap", "").split(",") if gap]
            assert len(gaps) <= MAX_GAPS
            for number, _, gap in gaps:
                assert gap == f"1-{earliest[int(number)] - 1}"
                assert number not in told
                told.add(number)
            after = response.headers["EventFlow-Next-Offset"]
            if not gaps:
                break
        assert told == {str(partition.number) for partition in lost}
        assert response.headers["EventFlow-Lag"] == "*=0"


@pytest.mark.processes
@pytest.mark.usefixtures("db_with_commits")
@pytest.mark.parametrize("without", ["", "proxy_buffer"], ids=["as shipped", "with the buffers of nginx itself"])
def test_behind_nginx_256_partitions_are_read(tmp_path, without):
    owner = make_owner()
    stream = make_stream("wide", owner=owner, partitions=MAX_PARTITIONS)
    far = MAX_OFFSET // 2
    Partition.objects.filter(stream=stream).update(head_offset=far)
    headers = {"X-API-Key": make_key(owner), "X-Request-Id": "r" * 64}
    with WebServer(EVENTFLOW_TRUSTED_PROXIES="1") as web, nginx_before(tmp_path, (web, web), without=without) as port:
        for number in range(2):
            after = ",".join(f"{each}={far - number}" for each in range(MAX_PARTITIONS))
            answer = ask(port, f"/api/v1/streams/wide/events?last_offset={after}", headers)
            assert answer.status == 200
        packed = answer.headers["EventFlow-Next-Offset"]
        assert ask(port, f"/api/v1/streams/wide/events?last_offset={packed}", headers).status == 200


def ask(port: int, path: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    client.request("GET", path, headers=headers)
    answer = client.getresponse()
    answer.read()
    client.close()
    return answer
