"""Bodies that come packed with gzip or zstd: taken within the limits of plain ones, refused clearly, and no bombs."""

import gzip
import tracemalloc
import zlib

import orjson
import pytest
import zstandard

from accounts.conf import MAX_BODY_BYTES
from accounts.errors import BrokenEncoding, PayloadTooLarge
from accounts.http.encodings import unpack
from accounts.models import User
from accounts.roles import Role
from streams.conf import MAX_REQUEST_BYTES
from streams.models import Partition, Stream
from tests.conftest import delete_everything
from tests.factories import make_key, make_stream, make_token, make_user
from tests.site.hostile import assert_refused
from tests.web_server import WebServer, exchange

EVENT = b'{"stream":"orders","payload":{"is":"packed"}}'
LINES = b"".join(b'{"stream":"orders","payload":%d}\n' % n for n in range(900))


def zstd(plain: bytes, *, is_size_told: bool = True) -> bytes:
    return zstandard.ZstdCompressor(write_content_size=is_size_told).compress(plain)


def zstd_of_unknown_size(plain: bytes) -> bytes:
    return zstd(plain, is_size_told=False)


def zstd_with_a_wide_window(plain: bytes) -> bytes:
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=25)
    packing = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return packing.compress(plain) + packing.flush()


PACKERS = pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("zstd", zstd), ("zstd", zstd_of_unknown_size)]
)

# --- unpacking alone ------------------------------------------------------------------------------------


@PACKERS
def test_what_was_packed_comes_back_up_to_the_very_limit(encoding, pack):
    plain = bytes(range(256)) * 40
    assert unpack(pack(plain), encoding=encoding, limit=len(plain)) == plain
    with pytest.raises(PayloadTooLarge):
        unpack(pack(plain), encoding=encoding, limit=len(plain) - 1)
    assert unpack(pack(b""), encoding=encoding, limit=10) == b""


@PACKERS
def test_a_bomb_costs_no_more_than_the_limit(encoding, pack):
    bomb = pack(bytes(200_000_000))
    assert len(bomb) < 250_000
    tracemalloc.start()
    try:
        with pytest.raises(PayloadTooLarge):
            unpack(bomb, encoding=encoding, limit=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@PACKERS
def test_one_that_is_cut_anywhere_is_broken_and_never_half_a_body(encoding, pack):
    packed = pack(LINES)
    for cut in range(len(packed)):
        with pytest.raises(BrokenEncoding):
            unpack(packed[:cut], encoding=encoding, limit=MAX_BODY_BYTES)


@PACKERS
def test_what_follows_the_end_is_not_passed_over(encoding, pack):
    for more in (b"\0", b"x", pack(EVENT)):
        with pytest.raises(BrokenEncoding):
            unpack(pack(EVENT) + more, encoding=encoding, limit=MAX_BODY_BYTES)


def test_damage_is_noticed():
    packed = bytearray(gzip.compress(LINES))
    packed[-6] ^= 1
    with pytest.raises(BrokenEncoding):
        unpack(bytes(packed), encoding="gzip", limit=MAX_BODY_BYTES)
    # A zlib stream is not gzip, and a plain body neither of the two.
    for encoding, body in (("gzip", zlib.compress(EVENT)), ("gzip", EVENT), ("zstd", EVENT)):
        with pytest.raises(BrokenEncoding):
            unpack(body, encoding=encoding, limit=MAX_BODY_BYTES)


def test_a_frame_that_wants_a_wide_window_is_refused():
    with pytest.raises(BrokenEncoding):
        unpack(zstd_with_a_wide_window(LINES), encoding="zstd", limit=MAX_BODY_BYTES)


# --- through both lanes of the real server --------------------------------------------------------------


@pytest.fixture(scope="module")
def owner(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        owner = make_user(Role.PRODUCER, Role.CONSUMER)
        make_stream("orders", owner=owner)
        yield owner
        delete_everything()


@pytest.fixture(scope="module")
def web(owner):
    with WebServer() as server:
        yield server


@pytest.fixture
def key(owner: User) -> str:
    return make_key(owner)


def head_offset() -> int:
    return Partition.objects.get(stream__name="orders").head_offset


def head(authority: str, encoding: str, *lines: str, path: str = "/api/v1/events", kind: str = "json") -> bytes:
    all_lines = [f"POST {path} HTTP/1.1", "Host: localhost", authority, *lines]
    all_lines += [f"Content-Type: application/{kind}", f"Content-Encoding: {encoding}", "", ""]
    return "\r\n".join(all_lines).encode()


def post(web: WebServer, key: str, encoding: str, body: bytes, *more: str, **where: str) -> object:
    return exchange(web, head(f"X-API-Key: {key}", encoding, f"Content-Length: {len(body)}", *more, **where) + body)


@pytest.mark.processes
@PACKERS
def test_an_append_may_come_packed(web, key, encoding, pack):
    before = head_offset()
    assert post(web, key, encoding, pack(EVENT)).status_code == 202
    assert post(web, key, encoding.upper(), pack(LINES), kind="x-ndjson").status_code == 202
    assert head_offset() == before + 901


@pytest.mark.processes
def test_a_retry_is_the_same_request_however_it_is_packed(web, key):
    once = "Idempotency-Key: packed"
    first = post(web, key, "gzip", gzip.compress(EVENT), once)
    again = post(web, key, "zstd", zstd(EVENT), once)
    plain = post(web, key, "identity", EVENT, once)
    assert (first.status_code, again.content, plain.content) == (202, first.content, first.content)


@pytest.mark.processes
def test_lines_in_chunks_are_taken_packed_because_a_cut_is_seen(web, key):
    packed, before = gzip.compress(LINES), head_offset()
    start = head(f"X-API-Key: {key}", "gzip", "Transfer-Encoding: chunked", kind="x-ndjson")
    cut = b"%x\r\n%b\r\n" % (len(packed) - 9, packed[:-9])
    assert_refused(exchange(web, start, cut + b"0\r\n\r\n"), 400, "broken_encoding")
    assert head_offset() == before
    assert exchange(web, start, b"%x\r\n%b\r\n0\r\n\r\n" % (len(packed), packed)).status_code == 202
    assert head_offset() == before + 900


@pytest.mark.processes
@PACKERS
def test_limits_count_what_is_unpacked(web, key, encoding, pack):
    before = head_offset()
    assert_refused(post(web, key, encoding, pack(b" " * (MAX_REQUEST_BYTES + 1))), 413, "payload_too_large")
    assert_refused(post(web, key, encoding, pack(EVENT)[:-1]), 400, "broken_encoding")
    assert_refused(post(web, key, encoding, pack(b"")), 400, "empty_body")
    assert_refused(post(web, key, encoding, pack(b"{")), 400, "invalid_json")
    assert head_offset() == before


@pytest.mark.processes
@PACKERS
def test_the_ordinary_endpoints_take_them_too(web, owner, encoding, pack):
    def make(body: bytes) -> object:
        authority = f"Authorization: Bearer {make_token(owner)}"
        return exchange(web, head(authority, encoding, f"Content-Length: {len(body)}", path="/api/v1/streams") + body)

    name = f"packed-{len(pack(EVENT))}-{Stream.objects.count()}"
    assert make(pack(orjson.dumps({"name": name, "partitions": 3}))).status_code == 201
    assert_refused(make(pack(b" " * (MAX_BODY_BYTES + 1))), 413, "payload_too_large")
    assert_refused(make(pack(b"{}")[:-1]), 400, "broken_encoding")
