"""The ids that the server makes for one request are remembered together.

What is remembered already stays as it is: it is looked at as well. Servers of the version before do not look here. While
they run beside newer ones, they store an event anew whose id a newer one has made in a batch.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("streams", "0010_events_for_later")]

    operations = [
        migrations.CreateModel(
            name="RememberedFamily",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "partition_id", "first_offset", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("partition_id", models.BigIntegerField()),
                ("first_offset", models.BigIntegerField()),
                ("event_count", models.PositiveIntegerField()),
                ("stream_id", models.BigIntegerField()),
                ("family", models.UUIDField()),
                ("members", models.BinaryField()),
                ("recorded_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "family of remembered ids",
                "verbose_name_plural": "families of remembered ids",
                "indexes": [models.Index(fields=["stream_id", "family"], name="remembered_family")],
            },
        ),
        # They are numbers that count up by chance steps of one: PostgreSQL's compression finds nothing in them.
        migrations.RunSQL(
            "ALTER TABLE streams_rememberedfamily ALTER members SET STORAGE EXTERNAL",
            "ALTER TABLE streams_rememberedfamily ALTER members SET STORAGE EXTENDED",
        ),
    ]
