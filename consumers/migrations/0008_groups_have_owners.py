import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ('consumers', '0007_groups_go_to_their_streams_owners'),
    ]

    operations = [
        migrations.AlterField(
            model_name='consumergroup',
            name='owner',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='consumer_groups', to=settings.AUTH_USER_MODEL),
        ),
    ]
