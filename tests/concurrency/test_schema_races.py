"""Schemas that several people register at once: each becomes a version of its own, compared with the one before it."""

from functools import partial

import pytest

from streams.schemas.compatibility import Compatibility
from streams.services.schemas import register_schema
from tests.factories import make_owner, make_stream
from tests.threads import Work

pytestmark = pytest.mark.usefixtures("db_with_commits")


def test_each_becomes_a_version_of_its_own():
    owner = make_owner()
    stream = make_stream("orders", owner=owner)

    def register(number: int) -> int:
        schema, is_new = register_schema(
            caller=owner.as_caller(),
            stream=stream,
            type_="order.created",
            document={"title": f"number {number}"},
            compatibility=Compatibility.NONE,
        )
        assert is_new
        return schema.version

    work = [Work(partial(register, number)) for number in range(6)]
    versions = [each.result() for each in work]
    assert sorted(versions) == [1, 2, 3, 4, 5, 6]
    titles = {row.document for row in stream.schemas.all()}
    assert len(titles) == 6
