"""Whoever looked in vain looks at others first the next time."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('consumers', '0024_dead_letters_by_event'),
    ]

    operations = [
        migrations.AddField(
            model_name='unfinishedsighting',
            name='looked_at',
            field=models.DateTimeField(null=True),
        ),
    ]
