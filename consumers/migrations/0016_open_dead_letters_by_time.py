"""An index of what is looked through by time: only what nobody has dealt with is in it."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('consumers', '0015_bulk_actions_go_at_a_rate_and_are_cancelled'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='deadletter',
            index=models.Index(condition=models.Q(('status', 'open')), fields=['group', 'created_at'], name='deadletter_open_by_time'),
        ),
    ]
