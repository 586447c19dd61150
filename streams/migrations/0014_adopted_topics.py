from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("streams", "0013_places_in_quarantine")]

    operations = [
        migrations.AddField(
            model_name="stream",
            name="adopted_topic",
            field=models.CharField(blank=True, db_default="", default="", editable=False, max_length=249),
        ),
        migrations.AddField(
            model_name="stream",
            name="is_read_only",
            field=models.BooleanField(db_default=False, default=False, editable=False),
        ),
        migrations.AddField(
            model_name="epoch",
            name="is_external",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="epoch",
            name="is_read_only",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
