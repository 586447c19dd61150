"""Groups that sort events before they hand them out: by a filter, by key, by time."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('consumers', '0016_open_dead_letters_by_time'),
    ]

    operations = [
        migrations.AddField(
            model_name='consumergroup',
            name='filter',
            field=models.JSONField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='delivery',
            name='event_expires_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='delivery',
            name='key_hash',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='groupoffset',
            name='expired_count',
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='groupoffset',
            name='filtered_count',
            field=models.BigIntegerField(db_default=0, default=0),
        ),
    ]
