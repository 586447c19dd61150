"""What is for later and what expires, each in an index of its own: neither has anything of groups without such events."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('consumers', '0019_events_of_a_key_wait_for_each_other'),
        ('streams', '0010_events_for_later'),
    ]

    operations = [
        migrations.AlterField(
            model_name='deadletterattempt',
            name='outcome',
            field=models.CharField(choices=[('acked', 'acked'), ('nacked', 'nacked'), ('expired', 'expired'), ('released', 'released'), ('lost', 'lost'), ('skipped', 'skipped'), ('lapsed', 'lapsed')], max_length=8),
        ),
        migrations.AlterField(
            model_name='deliveryhistory',
            name='outcome',
            field=models.CharField(choices=[('acked', 'acked'), ('nacked', 'nacked'), ('expired', 'expired'), ('released', 'released'), ('lost', 'lost'), ('skipped', 'skipped'), ('lapsed', 'lapsed')], max_length=8),
        ),
        migrations.AlterField(
            model_name='endedlease',
            name='outcome',
            field=models.CharField(choices=[('acked', 'acked'), ('nacked', 'nacked'), ('expired', 'expired'), ('released', 'released'), ('lost', 'lost'), ('skipped', 'skipped'), ('lapsed', 'lapsed')], max_length=8),
        ),
        AddIndexConcurrently(
            model_name='delivery',
            index=models.Index(condition=models.Q(('delivery_count', 0), ('state', 'waiting')), fields=['group', 'available_at'], include=('first_offset', 'last_offset'), name='delivery_scheduled'),
        ),
        AddIndexConcurrently(
            model_name='delivery',
            index=models.Index(condition=models.Q(('event_expires_at__isnull', False), ('state', 'waiting')), fields=['group', 'event_expires_at'], name='delivery_expiring'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(('dead_letter__isnull', True), ('event_expires_at__isnull', True), _connector='OR'), name='delivery_of_a_redrive_never_expires'),
        ),
    ]
