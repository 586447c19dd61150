"""Two settings that nothing ever looked at."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("streams", "0002_log_storage")]

    operations = [
        migrations.RemoveField(model_name="stream", name="validation"),
        migrations.RemoveField(model_name="stream", name="deduplicate_ids_seconds"),
    ]
