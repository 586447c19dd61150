from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("streams", "0008_full_batches_of_small_ones")]

    operations = [
        migrations.AddField(
            model_name="stream",
            name="first_partition_count",
            field=models.PositiveSmallIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.AddField(
            model_name="partition",
            name="least_placed_among",
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
    ]
