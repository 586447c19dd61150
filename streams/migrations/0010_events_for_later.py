from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("streams", "0009_partitions_can_be_added")]

    operations = [
        migrations.AddField(
            model_name="partition", name="timed_through", field=models.BigIntegerField(db_default=0, default=0)
        ),
    ]
