"""A live stream goes at the pace of its reader: what the web server keeps for one is bounded."""

import asyncio
import math
import socket
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress

import pytest

from eventflow_site.front import limits, pace
from eventflow_site.front.pace import PeerSockets, at_readers_pace, hang_up, not_taken, peer_of

PIECE = b"x" * 64 * 1024
# More than any kernel keeps for a connection of its own accord.
PIECES = 1_000

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


class Endless:
    """Pieces, as many as are taken, and whether they were closed."""

    def __init__(self) -> None:
        self.made = 0
        self.is_closed = False

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        try:
            while self.made < PIECES:
                self.made += 1
                yield PIECE
        finally:
            self.is_closed = True


@pytest.fixture
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection: the server's, then the client's."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as client,
        listener.accept()[0] as server,
    ):
        server.setblocking(False)
        yield server, client


async def hand_over(endless: Endless, server: socket.socket, peer: str) -> None:
    """Do as granian does: take every piece at once, and write it when the client takes it."""
    loop = asyncio.get_running_loop()
    waiting: asyncio.Queue[bytes] = asyncio.Queue()

    async def write() -> None:
        while True:
            await loop.sock_sendall(server, await waiting.get())

    writing = asyncio.create_task(write())
    async for piece in at_readers_pace(endless.pieces(), peer=peer, sockets=PeerSockets()):
        waiting.put_nowait(piece)
    writing.cancel()


def peer_name(client: socket.socket) -> str:
    host, port = client.getsockname()
    return f"{host}:{port}"


@linux_only
def test_who_takes_nothing_is_let_go_with_little_kept_for_them(connection, monkeypatch):
    monkeypatch.setattr(limits, "TAKES_NOTHING_SECONDS", 0.5)
    dropped = []
    monkeypatch.setattr(pace, "count_dropped_reader", lambda: dropped.append(1))
    server, client = connection
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    endless = Endless()
    asyncio.run(asyncio.wait_for(hand_over(endless, server, peer_name(client)), 30))
    assert endless.is_closed
    assert dropped == [1]
    kept = not_taken(server.fileno())
    assert kept is not None
    # What was not acknowledged, and what the client's own side has taken.
    assert endless.made < PIECES / 4


@linux_only
@pytest.mark.parametrize(("reader_seconds", "is_hung_up_on"), [(1, True), (0, False)])
def test_who_takes_less_than_they_must_is_hung_up_on(connection, monkeypatch, settings, reader_seconds, is_hung_up_on):
    settings.READER_SECONDS = reader_seconds
    dropped = []
    monkeypatch.setattr(pace, "count_dropped_reader", lambda: dropped.append(1))
    server, client = connection
    client.setblocking(False)
    endless = Endless()

    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        handing_over = asyncio.create_task(hand_over(endless, server, peer_name(client)))
        # Always something, so that it is not nothing.
        for _ in range(80):
            received = await asyncio.wait_for(loop.sock_recv(client, 8 * 1024), 10)
            await asyncio.sleep(0.05)
            if handing_over.done():
                break
        is_over = handing_over.done()
        handing_over.cancel()
        with suppress(asyncio.CancelledError):
            await handing_over
        assert is_over == is_hung_up_on
        while is_over and received:
            received = await asyncio.wait_for(loop.sock_recv(client, 1024 * 1024), 10)
        return received

    # What was left is not waited for: the connection is closed.
    assert (asyncio.run(asyncio.wait_for(main(), 30)) == b"") == is_hung_up_on
    assert dropped == [1] * is_hung_up_on
    assert endless.is_closed
    assert endless.made < PIECES


@linux_only
def test_nobody_else_is_hung_up_on_whose_connection_has_the_same_number(connection):
    server, client = connection
    hang_up(server.fileno(), "192.0.2.1:4711")
    server.send(b"still here")
    assert client.recv(10) == b"still here"


@linux_only
def test_who_takes_slowly_gets_everything(connection, monkeypatch):
    monkeypatch.setattr(limits, "TAKES_NOTHING_SECONDS", 5)
    server, client = connection
    client.setblocking(False)
    endless = Endless()

    async def main() -> int:
        loop = asyncio.get_running_loop()
        handing_over = asyncio.create_task(hand_over(endless, server, peer_name(client)))
        received = 0
        while received < PIECES * len(PIECE):
            piece = await asyncio.wait_for(loop.sock_recv(client, 1024 * 1024), 10)
            received += len(piece)
            if handing_over.done():
                break
        await handing_over
        return received

    received = asyncio.run(asyncio.wait_for(main(), 50))
    assert endless.made == PIECES
    assert received > PIECES * len(PIECE) - 1024 * 1024


@linux_only
def test_who_has_hung_up_is_not_waited_for(connection):
    server, client = connection
    endless = Endless()
    peer = peer_name(client)

    async def main() -> None:
        handing_over = asyncio.create_task(hand_over(endless, server, peer))
        await asyncio.sleep(0.3)
        server.close()
        await asyncio.wait_for(handing_over, 5)

    asyncio.run(main())
    assert endless.is_closed
    assert endless.made < PIECES


def test_where_nobody_can_tell_it_ends_soon_and_the_client_comes_again():
    endless = Endless()

    async def main() -> int:
        pieces = at_readers_pace(endless.pieces(), peer="192.0.2.1:4711", sockets=PeerSockets())
        return sum([len(piece) async for piece in pieces])

    assert asyncio.run(main()) == limits.UNSEEN_BYTES
    assert endless.is_closed


def test_a_file_of_which_nobody_can_tell_the_pace_comes_as_a_whole():
    endless = Endless()

    async def main() -> int:
        pieces = at_readers_pace(endless.pieces(), peer="192.0.2.1:4711", sockets=PeerSockets(), most_unseen=math.inf)
        return sum([len(piece) async for piece in pieces])

    assert asyncio.run(main()) == PIECES * len(PIECE)


@linux_only
def test_a_socket_is_known_by_who_is_at_its_other_end(connection):
    server, client = connection
    assert peer_of(server.fileno()) == peer_name(client)
    assert asyncio.run(PeerSockets().find(peer_name(client))) == server.fileno()


@pytest.mark.parametrize("number", [-1, 10**6])
def test_what_is_no_socket_leads_to_nobody(number):
    assert peer_of(number) == ""
    assert not_taken(number) is None


def test_a_file_leads_to_nobody_and_stays_open(tmp_path):
    with (tmp_path / "file").open("w") as file:
        assert peer_of(file.fileno()) == ""
        file.write("still open")
