"""Whoever looked at a group from the dashboard counted as one of its members, and hid that no consumer was there."""

from django.db import migrations


def forget_looks(apps, schema_editor):
    members = apps.get_model('consumers', 'GroupMember').objects
    members.filter(name__startswith='dashboard:', name__contains='@').delete()


class Migration(migrations.Migration):

    dependencies = [
        ('consumers', '0012_finished_failed_and_dead_events_are_counted'),
    ]

    operations = [
        migrations.RunPython(forget_looks, migrations.RunPython.noop),
    ]
