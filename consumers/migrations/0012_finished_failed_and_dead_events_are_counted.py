from django.db import migrations, models


class Migration(migrations.Migration):
    # Columns with a constant default: no row is rewritten. Programs of the release before go on inserting without them.
    dependencies = [
        ("consumers", "0011_reported_copies"),
    ]

    operations = [
        migrations.AddField(
            model_name="groupoffset",
            name="finished_count",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="groupoffset",
            name="failed_count",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="groupoffset",
            name="dead_letter_count",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
    ]
