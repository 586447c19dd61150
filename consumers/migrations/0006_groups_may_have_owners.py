import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ('consumers', '0005_bulk_actions_know_their_request'),
    ]

    operations = [
        migrations.AddField(
            model_name='consumergroup',
            name='owner',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='consumer_groups', to=settings.AUTH_USER_MODEL),
        ),
    ]
