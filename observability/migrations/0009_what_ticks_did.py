from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("observability", "0008_groups_over_time")]

    operations = [
        migrations.AddField(model_name="heartbeat", name="done", field=models.BigIntegerField(null=True)),
        migrations.AddField(model_name="heartbeat", name="done_at", field=models.DateTimeField(null=True)),
        migrations.AddField(model_name="heartbeat", name="failed_at", field=models.DateTimeField(null=True)),
    ]
