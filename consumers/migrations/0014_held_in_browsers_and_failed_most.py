"""Two small indexes beside a table that every lease writes: neither has what is leased by programs and did not fail."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('consumers', '0013_a_look_is_no_member'),
    ]

    operations = [
        AddIndexConcurrently(
            model_name='delivery',
            index=models.Index(condition=models.Q(('leased_by__startswith', 'browser:'), ('state', 'leased')), fields=['group', 'lease_expires_at'], name='delivery_in_browsers'),
        ),
        AddIndexConcurrently(
            model_name='delivery',
            index=models.Index(condition=models.Q(('failure_count__gt', 0)), fields=['group', '-failure_count', 'partition', 'first_offset'], name='delivery_failed_most'),
        ),
    ]
