"""Connections whose statements django-prometheus counts, with one class of cursors for all of them.

Its own backend makes a class for each connection that a request takes from the pool: work for every request, and
garbage that only a collection finds.
"""

from functools import cache
from typing import Any

from django.db.backends.postgresql import base
from django_prometheus.db.backends.postgresql.base import DatabaseWrapper as CountingWrapper
from django_prometheus.db.common import ExportingCursorWrapper

_counting_cursor = cache(ExportingCursorWrapper)


class DatabaseWrapper(CountingWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        parameters: dict[str, Any] = base.DatabaseWrapper.get_connection_params(self)
        parameters["cursor_factory"] = _counting_cursor(parameters["cursor_factory"], self.alias, self.vendor)
        return parameters
