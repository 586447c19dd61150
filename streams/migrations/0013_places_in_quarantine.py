from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("streams", "0012_engines_and_epochs")]

    operations = [
        migrations.AddField(
            model_name="epoch",
            name="quarantine",
            field=models.CharField(blank=True, db_default="", default="", max_length=500),
        ),
        migrations.AddIndex(
            model_name="epoch",
            index=models.Index(condition=~Q(quarantine=""), fields=["partition"], name="epoch_in_quarantine"),
        ),
    ]
