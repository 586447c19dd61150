"""When events for later were to be handed out: from then on they are late, and not since they were recorded."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('consumers', '0020_events_expire'),
    ]

    operations = [
        migrations.AddField(
            model_name='delivery',
            name='due_at',
            field=models.DateTimeField(null=True),
        ),
        AddIndexConcurrently(
            model_name='delivery',
            index=models.Index(condition=models.Q(('due_at__isnull', False)), fields=['group', 'partition', 'due_at'], name='delivery_for_later'),
        ),
    ]
