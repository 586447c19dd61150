from django.apps import AppConfig
from django.db.backends.signals import connection_created


class ObservabilityConfig(AppConfig):
    name = "observability"

    def ready(self) -> None:
        from observability.numbers.adoption import begin_at_the_end
        from observability.telemetry import heartbeat
        from observability.telemetry.attaching import attach
        from observability.telemetry.slow_sql import watch_connection
        from streams.services.places import after_adoption

        after_adoption.append(begin_at_the_end)
        connection_created.connect(watch_connection, dispatch_uid="slow-sql")
        heartbeat.connect()
        attach()
