"""Django's connections count their statements, with one class of cursors for all of them."""

import pytest
from django.db import connection
from prometheus_client import REGISTRY


def executed() -> float:
    labels = {"alias": "default", "vendor": "postgresql"}
    return REGISTRY.get_sample_value("django_db_execute_total", labels) or 0.0


@pytest.mark.usefixtures("db_with_commits")
def test_statements_are_counted():
    before = executed()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    assert executed() == before + 1


def test_connections_share_their_class_of_cursors():
    first, second = connection.get_connection_params(), connection.get_connection_params()
    assert first["cursor_factory"] is second["cursor_factory"]
