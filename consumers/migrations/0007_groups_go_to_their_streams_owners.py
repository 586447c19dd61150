"""Who made a group was not kept: the owner of its stream could do everything with it already."""

from django.db import migrations
from django.db.models import OuterRef, Subquery


def give_to_the_streams_owner(apps, schema_editor):
    groups = apps.get_model('consumers', 'ConsumerGroup').objects
    streams = apps.get_model('streams', 'Stream').objects
    owner = streams.filter(pk=OuterRef('stream_id')).values('owner_id')[:1]
    groups.filter(owner__isnull=True).update(owner_id=Subquery(owner))


class Migration(migrations.Migration):

    dependencies = [
        ('consumers', '0006_groups_may_have_owners'),
        ('streams', '0001_streams_and_batches'),
    ]

    operations = [
        migrations.RunPython(give_to_the_streams_owner, migrations.RunPython.noop),
    ]
