"""A running server, a caller, and a network that can be made to lose things."""

from collections.abc import Iterator

import pytest
from eventflow_client import EventFlow, Retries
from lossy import LossyNetwork
from shell import bare, shell

from tests.factories import make_key, make_owner, make_stream
from tests.web_server import WebServer

__all__ = ["bare", "shell"]

# Quick enough for tests that are refused on purpose, long enough for a busy machine.
QUICK = Retries(attempt_seconds=10.0, total_seconds=20.0, first_pause_seconds=0.01, longest_pause_seconds=0.2)


@pytest.fixture(scope="module")
def web(db_with_commits_for_all, shared_web) -> WebServer:
    """The server, as `make run` starts it; tests share it, and have streams of their own."""
    return shared_web


@pytest.fixture
def owner(web):
    return make_owner()


@pytest.fixture
def orders(owner) -> str:
    """A new stream."""
    return make_stream(owner=owner).name


@pytest.fixture
def key(owner) -> str:
    return make_key(owner)


@pytest.fixture
def network(web) -> Iterator[LossyNetwork]:
    """What lies between a client and the server."""
    with LossyNetwork(web.port) as network:
        yield network


@pytest.fixture
def client(network, key) -> Iterator[EventFlow]:
    with EventFlow(network.url, key=key, retries=QUICK) as client:
        yield client


@pytest.fixture
def retries() -> Retries:
    return QUICK
