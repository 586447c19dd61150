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
    ]
