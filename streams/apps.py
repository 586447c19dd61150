from django.apps import AppConfig


class StreamsConfig(AppConfig):
    name = "streams"

    def ready(self) -> None:
        from django.core.checks import Tags, register

        from accounts.services import teams
        from accounts.services.api_keys import unknown_streams
        from streams.checks import ask_engines, check_engines, check_engines_of_streams
        from streams.queries import find_unknown_streams
        from streams.services.grants import tell_of_a_teams_end

        register(check_engines)
        register(ask_engines, deploy=True)
        register(check_engines_of_streams, Tags.database)
        unknown_streams.append(find_unknown_streams)
        teams.before_deletion.append(tell_of_a_teams_end)
