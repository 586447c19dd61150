from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models
from django.db.models import F, Q


class Migration(migrations.Migration):
    dependencies = [("streams", "0011_remembered_families")]

    operations = [
        migrations.AddField(
            model_name="stream",
            name="engine",
            field=models.CharField(db_default="postgres", default="postgres", editable=False, max_length=32),
        ),
        migrations.AddField(
            model_name="stream",
            name="has_epochs",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddField(
            model_name="partition",
            name="is_sealed",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.CreateModel(
            name="Epoch",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "partition_id", "number", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("number", models.PositiveSmallIntegerField()),
                ("engine", models.CharField(max_length=32)),
                ("topic", models.CharField(blank=True, max_length=249)),
                ("topic_id", models.CharField(blank=True, max_length=64)),
                ("first_offset", models.BigIntegerField()),
                ("last_offset", models.BigIntegerField(null=True)),
                ("base", models.BigIntegerField(default=0)),
                (
                    "partition",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=models.DO_NOTHING,
                        related_name="epochs",
                        to="streams.partition",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(number__gte=1, first_offset__gte=1)
                        & (Q(last_offset__isnull=True) | Q(last_offset__gte=F("first_offset") - 1)),
                        name="epoch_is_a_stretch_of_offsets",
                    ),
                    models.UniqueConstraint(
                        fields=["partition"],
                        condition=Q(last_offset__isnull=True),
                        name="epoch_open_once_in_each_partition",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PlaceToClear",
            fields=[
                (
                    "id",
                    models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                ("engine", models.CharField(max_length=32)),
                ("topic", models.CharField(blank=True, max_length=249)),
                ("topic_id", models.CharField(blank=True, max_length=64)),
                ("stream_name", models.CharField(max_length=128)),
                ("partition_ids", ArrayField(base_field=models.BigIntegerField())),
                ("due_at", models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.CreateModel(
            name="UnfinishedAppend",
            fields=[
                (
                    "id",
                    models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"),
                ),
                ("caller", models.CharField(max_length=64)),
                ("key", models.CharField(max_length=255)),
                ("tag", models.UUIDField()),
                ("heads", models.JSONField()),
                ("tried_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["caller", "key"], name="append_unfinished_once_for_each_key"),
                ],
            },
        ),
    ]
