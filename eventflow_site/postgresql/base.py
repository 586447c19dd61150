"""Connections whose statements django-prometheus counts, with one class of cursors for all of them.

Its own backend makes a class for each connection that a request takes from the pool: work for every request, and
garbage that only a collection finds.
"""

from functools import cache
from typing import Any, Final

from django.db.backends.postgresql import base
from django_prometheus.db.backends.postgresql.base import DatabaseWrapper as CountingWrapper
from django_prometheus.db.common import ExportingCursorWrapper
from psycopg_pool import PoolTimeout

from eventflow_site.database import WatchfulConnection

# There are some, and all are at work.
NONE_FREE: Final = "no connection of this process's pool came free (DATABASE_POOL_SIZE)"

_counting_cursor = cache(ExportingCursorWrapper)


class DatabaseWrapper(CountingWrapper):
    def get_connection_params(self) -> dict[str, Any]:
        parameters: dict[str, Any] = base.DatabaseWrapper.get_connection_params(self)
        parameters["cursor_factory"] = _counting_cursor(parameters["cursor_factory"], self.alias, self.vendor)
        return parameters

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        try:
            return super().get_new_connection(conn_params)
        except PoolTimeout as error:
            raise PoolTimeout(WatchfulConnection.last_refusal or NONE_FREE) from error
