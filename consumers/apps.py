from django.apps import AppConfig


class ConsumersConfig(AppConfig):
    name = "consumers"

    def ready(self) -> None:
        from consumers.services.groups import give_places, hold_groups_of, list_group_names
        from consumers.services.retention import find_group_losses
        from streams.services import partition_changes, retention_changes
        from streams.services.lifecycle import before_deletion

        before_deletion.append(hold_groups_of)
        retention_changes.find_group_losses.append(find_group_losses)
        partition_changes.find_groups.append(list_group_names)
        partition_changes.after_addition.append(give_places)
