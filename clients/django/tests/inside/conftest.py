"""A client and a stream at the real server, for tests within the application's process."""

import uuid
from collections.abc import Iterator

import pytest
from eventflow_client import EventFlow
from eventflow_django.connecting import sending_client


@pytest.fixture
def client() -> Iterator[EventFlow]:
    """As the relay has it."""
    with sending_client() as client:
        yield client


@pytest.fixture
def stream(client) -> str:
    """A new stream."""
    return client.streams.create(f"inside-{uuid.uuid4().hex[:12]}").name
