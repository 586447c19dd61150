"""A running server, a caller, and the example application beside them."""

import os
from collections.abc import Iterator

import pytest
from application import Shop
from eventflow_client import EventFlow
from holding import HoldingNetwork

from tests.factories import make_key, make_owner, make_stream
from tests.web_server import WebServer

# They need the application's settings: `test_inside.py` runs them in its process.
collect_ignore = ["inside"]


@pytest.fixture(scope="module")
def web(db_with_commits_for_all) -> Iterator[WebServer]:
    """The server, as `make run` starts it; a file's tests share it, and have streams of their own."""
    with WebServer() as web:
        yield web


@pytest.fixture(scope="module")
def owner(web):
    return make_owner()


@pytest.fixture(scope="module")
def key(owner) -> str:
    return make_key(owner)


@pytest.fixture(scope="module")
def shop(web, key) -> Iterator[Shop]:
    shop = Shop(f"shop_{os.getpid()}", url=web.url, key=key)
    try:
        shop.make()
        yield shop
    finally:
        shop.drop()


@pytest.fixture
def stream(owner) -> str:
    """A new stream."""
    return make_stream(owner=owner).name


@pytest.fixture
def network(web) -> Iterator[HoldingNetwork]:
    """What lies between the application and the server."""
    with HoldingNetwork(web.port) as network:
        yield network


@pytest.fixture
def client(web, key) -> Iterator[EventFlow]:
    with EventFlow(web.url, key=key) as client:
        yield client
