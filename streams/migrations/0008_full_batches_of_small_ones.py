"""Batches are merged, and what retention and merging delete gives its room back soon, however large the table is."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("streams", "0007_remembered_ids")]

    operations = [
        migrations.AddField(
            model_name="partition", name="merged_to", field=models.BigIntegerField(db_default=0, default=0)
        ),
        migrations.AddField(
            model_name="partition", name="merge_due_head", field=models.BigIntegerField(db_default=0, default=0)
        ),
        # By default a vacuum waits until a fifth of the table is dead: a stream with retention beside large ones that
        # keep everything would go through its room many times before that.
        migrations.RunSQL(
            "ALTER TABLE streams_eventbatch SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,"
            " toast.autovacuum_vacuum_scale_factor = 0.02, toast.autovacuum_vacuum_threshold = 4000)",
            "ALTER TABLE streams_eventbatch RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold,"
            " toast.autovacuum_vacuum_scale_factor, toast.autovacuum_vacuum_threshold)",
        ),
    ]
