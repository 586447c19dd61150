from django.apps import AppConfig


class StreamsConfig(AppConfig):
    name = "streams"

    def ready(self) -> None:
        from accounts.services.api_keys import unknown_streams
        from streams.queries import find_unknown_streams

        unknown_streams.append(find_unknown_streams)
