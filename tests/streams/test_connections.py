"""Connections that are cut from another thread."""

import os
import socket
import threading

import psycopg
import pytest

from streams.connections import Scissors, connect

pytestmark = pytest.mark.usefixtures("db_with_commits")


def test_who_waits_on_a_connection_that_is_cut_is_told_at_once():
    with connect("to-be-cut") as connection, Scissors(connection) as scissors:
        timer = threading.Timer(0.2, scissors.cut)
        timer.start()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT pg_sleep(20)")
        timer.join()


def test_cutting_what_is_broken_already_harms_nobody():
    """libpq closes the socket when it finds the connection broken, and the next file or socket gets its number."""
    connection = connect("to-be-cut")
    with Scissors(connection) as scissors:
        number = connection.fileno()
        os.close(number)
        strangers: list[socket.socket] = []
        while number not in (stranger.fileno() for stranger in strangers):
            strangers += socket.socketpair()
        scissors.cut()
        for one, other in zip(strangers[::2], strangers[1::2], strict=True):
            one.sendall(b"x")
            assert other.recv(1) == b"x"
    for stranger in strangers:
        stranger.close()
    # Now, while nobody has the number.
    connection.close()


def test_cutting_twice_is_cutting_once():
    with connect("to-be-cut") as connection, Scissors(connection) as scissors:
        scissors.cut()
        scissors.cut()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
