"""Streams may remember the ids of their events, so that none is stored twice."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('streams', '0006_schemas'),
    ]

    operations = [
        migrations.CreateModel(
            name='RememberedId',
            fields=[
                ('pk', models.CompositePrimaryKey('stream_id', 'digest', blank=True, editable=False, primary_key=True, serialize=False)),
                ('stream_id', models.BigIntegerField()),
                ('digest', models.UUIDField()),
                ('partition_id', models.BigIntegerField()),
                ('event_offset', models.BigIntegerField()),
                ('recorded_at', models.DateTimeField()),
            ],
            options={
                'verbose_name': 'remembered id',
            },
        ),
        migrations.AddField(
            model_name='stream',
            name='deduplicate_ids_seconds',
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddConstraint(
            model_name='stream',
            constraint=models.CheckConstraint(condition=models.Q(('deduplicate_ids_seconds__isnull', True), models.Q(('deduplicate_ids_seconds__gte', 1), ('deduplicate_ids_seconds__lte', 604800)), _connector='OR'), name='stream_deduplication_is_in_range'),
        ),
        migrations.AddIndex(
            model_name='rememberedid',
            index=models.Index(fields=['partition_id', 'event_offset'], name='remembered_id_by_offset'),
        ),
        # As many ids go as come: their places are to be used again before the table has grown by a fifth.
        migrations.RunSQL(
            "ALTER TABLE streams_rememberedid"
            " SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 1)",
            "ALTER TABLE streams_rememberedid RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_cost_delay)",
        ),
    ]
