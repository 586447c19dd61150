import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    # Columns that may be null, and a table of its own: no row is rewritten, and what was recorded before stays unknown.
    dependencies = [
        ("consumers", "0012_finished_failed_and_dead_events_are_counted"),
        ("observability", "0007_lost_is_watched"),
    ]

    operations = [
        *(
            migrations.AddField(model_name="groupminute", name=name, field=models.BigIntegerField(null=True))
            for name in ("lag", "finished_count", "failed_count", "dead_letter_count")
        ),
        migrations.CreateModel(
            name="GroupHour",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "group_id", "hour", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("hour", models.DateTimeField()),
                ("minute", models.DateTimeField()),
                ("lag", models.BigIntegerField()),
                ("finished_count", models.BigIntegerField()),
                ("failed_count", models.BigIntegerField()),
                ("dead_letter_count", models.BigIntegerField()),
                (
                    "group",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="consumers.consumergroup",
                    ),
                ),
            ],
            options={
                "verbose_name": "group's hour",
                "indexes": [models.Index(fields=["hour"], name="grouphour_by_age")],
            },
        ),
    ]
