"""An event that retention has taken is found by its id, where a dead letter keeps it."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('consumers', '0023_what_is_unfinished_elsewhere'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='deadletter',
            index=models.Index(condition=models.Q(('event_id', ''), _negated=True), fields=['event_id'], name='deadletter_by_event_id'),
        ),
    ]
