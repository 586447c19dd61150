from django.apps import AppConfig
from django.db.backends.signals import connection_created


class ObservabilityConfig(AppConfig):
    name = "observability"

    def ready(self) -> None:
        from observability import task_metrics
        from observability.slow_sql import watch_connection

        connection_created.connect(watch_connection, dispatch_uid="slow-sql")
        task_metrics.connect()
