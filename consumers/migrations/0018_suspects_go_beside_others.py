"""What was in the hands of a consumer that died goes beside what is new: found by an index that is empty otherwise."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('consumers', '0017_events_are_sorted'),
    ]

    operations = [
        migrations.AddField(
            model_name='delivery',
            name='suspect_limit',
            field=models.SmallIntegerField(db_default=0, default=0),
        ),
        AddIndexConcurrently(
            model_name='delivery',
            index=models.Index(condition=models.Q(('suspect_limit__gt', 0)), fields=['group', 'state', 'is_alone', 'available_at'], include=['first_offset', 'last_offset'], name='delivery_suspected'),
        ),
        AddIndexConcurrently(
            model_name='delivery',
            index=models.Index(condition=models.Q(('state', 'waiting'), models.Q(('suspect_limit', 0), ('is_alone', True), _connector='OR')), fields=['group', 'is_alone', 'available_at'], name='delivery_waiting_by_turn'),
        ),
        RemoveIndexConcurrently(
            model_name='delivery',
            name='delivery_waiting_by_due',
        ),
        migrations.RenameIndex(
            model_name='delivery',
            old_name='delivery_waiting_by_turn',
            new_name='delivery_waiting_by_due',
        ),
    ]
