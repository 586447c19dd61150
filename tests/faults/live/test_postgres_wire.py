"""PostgreSQL's protocol, seen from between its two ends."""

import struct

from tests.faults.live.postgres_wire import Conversation


def message(kind: bytes, content: bytes) -> bytes:
    return kind + struct.pack("!i", len(content) + 4) + content


START = struct.pack("!ii", 8, 196608)
IDLE, WITHIN = message(b"Z", b"I"), message(b"Z", b"T")


def begun() -> Conversation:
    talk = Conversation()
    talk.hear_client(START)
    return talk


def test_a_commit_is_known_when_it_is_sent_and_when_it_is_answered():
    talk = begun()
    assert not talk.hear_client(message(b"Q", b"BEGIN\0"))
    assert not talk.hear_server(WITHIN)
    assert not talk.hear_client(message(b"Q", b"INSERT INTO t VALUES (1)\0"))
    assert not talk.hear_server(WITHIN)
    assert talk.hear_client(message(b"Q", b"COMMIT\0"))
    assert talk.hear_server(message(b"C", b"COMMIT\0") + IDLE)


def test_a_statement_that_writes_by_itself_commits_prepared_or_not():
    talk = begun()
    sync = message(b"S", b"")
    assert not talk.hear_client(message(b"P", b"s1\0UPDATE t SET x = 1\0\0\0"))
    assert talk.hear_client(message(b"B", b"\0s1\0\0\0") + sync)
    assert talk.hear_server(IDLE)
    # Bound again by its name alone, a byte at a time.
    pieces = message(b"B", b"\0s1\0\0\0") + sync
    assert [talk.hear_client(pieces[n : n + 1]) for n in range(len(pieces))] == [False] * (len(pieces) - 1) + [True]


def test_what_reads_or_fails_commits_nothing():
    talk = begun()
    assert not talk.hear_client(message(b"Q", b"SELECT 1\0"))
    assert not talk.hear_server(IDLE)
    assert talk.hear_client(message(b"Q", b"DELETE FROM t\0"))
    assert not talk.hear_server(message(b"E", b"oh\0") + IDLE)
