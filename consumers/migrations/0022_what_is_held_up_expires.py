"""What expires while it is held up by another event of its key is found like what expires while it waits."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('consumers', '0021_when_events_were_due'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='delivery',
            index=models.Index(condition=models.Q(('event_expires_at__isnull', False), ('state__in', ['waiting', 'held_up'])), fields=['group', 'event_expires_at'], name='delivery_to_lapse'),
        ),
        RemoveIndexConcurrently(
            model_name='delivery',
            name='delivery_expiring',
        ),
    ]
