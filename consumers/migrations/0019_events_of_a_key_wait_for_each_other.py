"""Events of a key wait for each other. Nothing has a key yet, so that its indexes are made in no time."""

from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint
from django.db import migrations, models


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('consumers', '0018_suspects_go_beside_others'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='delivery',
            name='delivery_is_available_at_a_time_exactly_while_waiting',
        ),
        migrations.RemoveConstraint(
            model_name='delivery',
            name='delivery_state_is_known',
        ),
        migrations.AddField(
            model_name='groupoffset',
            name='held_up_count',
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='groupoffset',
            name='key_order_after',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name='consumergroup',
            name='ordering',
            field=models.CharField(choices=[('partition', 'partition: one outstanding delivery per partition'), ('key', 'key: one outstanding event per key'), ('none', 'none: any number up to max_in_flight')], default='none', max_length=9),
        ),
        migrations.AlterField(
            model_name='delivery',
            name='state',
            field=models.CharField(choices=[('leased', 'leased'), ('waiting', 'waiting'), ('held_up', 'held_up'), ('exhausted', 'exhausted')], max_length=9),
        ),
        AddIndexConcurrently(
            model_name='delivery',
            index=models.Index(condition=models.Q(('dead_letter__isnull', True), ('key_hash__isnull', False)), fields=['group', 'partition', 'key_hash', 'first_offset'], name='delivery_of_a_key_in_order'),
        ),
        AddIndexConcurrently(
            model_name='delivery',
            index=models.Index(condition=models.Q(('state', 'held_up')), fields=['group', 'partition', 'first_offset'], name='delivery_held_up'),
        ),
        AddConstraintNotValid(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('available_at__isnull', False), ('state', 'waiting')), ('state', 'held_up'), models.Q(models.Q(('state__in', ['waiting', 'held_up']), _negated=True), ('available_at__isnull', True)), _connector='OR'), name='delivery_is_available_at_a_time_while_waiting'),
        ),
        AddConstraintNotValid(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['leased', 'waiting', 'held_up', 'exhausted'])), name='delivery_state_is_known'),
        ),
        AddConstraintNotValid(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(('key_hash__isnull', True), ('first_offset', models.F('last_offset')), _connector='OR'), name='delivery_of_a_key_is_one_event'),
        ),
        AddConstraintNotValid(
            model_name='delivery',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'held_up'), _negated=True), models.Q(('dead_letter__isnull', True), ('delivery_count', 0), ('failure_count', 0), ('key_hash__isnull', False)), _connector='OR'), name='delivery_held_up_has_a_key_and_was_never_handed_out'),
        ),
        migrations.AddConstraint(
            model_name='delivery',
            constraint=models.UniqueConstraint(condition=models.Q(('key_hash__isnull', False), ('state', 'leased')), fields=('group', 'partition', 'key_hash'), name='delivery_of_a_key_leased_one_at_a_time'),
        ),
        ValidateConstraint(model_name='delivery', name='delivery_is_available_at_a_time_while_waiting'),
        ValidateConstraint(model_name='delivery', name='delivery_state_is_known'),
        ValidateConstraint(model_name='delivery', name='delivery_of_a_key_is_one_event'),
        ValidateConstraint(model_name='delivery', name='delivery_held_up_has_a_key_and_was_never_handed_out'),
    ]
