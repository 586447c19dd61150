from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("streams", "0004_grants_and_teams")]

    operations = [
        migrations.AddField(
            model_name="partition", name="erasure_mark", field=models.BigIntegerField(db_default=0, default=0)
        )
    ]
