"""How PostgreSQL keeps the log's two hot tables."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("streams", "0001_streams_and_batches")]

    operations = [
        # The counter row is updated by every append: room on its page keeps those updates heap-only.
        migrations.RunSQL(
            "ALTER TABLE streams_partition SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)",
            "ALTER TABLE streams_partition RESET (fillfactor, autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold)",
        ),
        # Records are compressed by us: PostgreSQL must not spend time on trying again.
        migrations.RunSQL(
            "ALTER TABLE streams_eventbatch ALTER COLUMN records SET STORAGE EXTERNAL",
            "ALTER TABLE streams_eventbatch ALTER COLUMN records SET STORAGE EXTENDED",
        ),
    ]
