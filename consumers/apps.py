from django.apps import AppConfig


class ConsumersConfig(AppConfig):
    name = "consumers"

    def ready(self) -> None:
        from accounts.services import teams
        from consumers.services.grants import tell_of_a_teams_end
        from consumers.services.groups import give_places, hold_groups_of, list_group_names
        from consumers.services.retention import find_group_losses
        from streams.services import partition_changes, retention_changes
        from streams.services.lifecycle import before_deletion

        before_deletion.append(hold_groups_of)
        teams.before_deletion.append(tell_of_a_teams_end)
        retention_changes.find_group_losses.append(find_group_losses)
        partition_changes.find_groups.append(list_group_names)
        partition_changes.after_addition.append(give_places)
