from django.apps import AppConfig


class ConsumersConfig(AppConfig):
    name = "consumers"

    def ready(self) -> None:
        from consumers.services.groups import hold_groups_of
        from streams.services.lifecycle import before_deletion

        before_deletion.append(hold_groups_of)
