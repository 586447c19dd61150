from django.apps import AppConfig


class ConsumersConfig(AppConfig):
    name = "consumers"

    def ready(self) -> None:
        from consumers.services.groups import hold_groups_of
        from consumers.services.retention import find_group_losses
        from streams.services import retention_changes
        from streams.services.lifecycle import before_deletion

        before_deletion.append(hold_groups_of)
        retention_changes.find_group_losses.append(find_group_losses)
