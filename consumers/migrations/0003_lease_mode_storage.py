"""How PostgreSQL keeps the tables that every lease and ack writes."""

from django.db import migrations

# Rows live for seconds: dead ones must go before an index scan has to step over many of them.
CHURNED = "autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 1"
RESET = "autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold, autovacuum_vacuum_cost_delay"


class Migration(migrations.Migration):
    dependencies = [("consumers", "0002_lease_mode")]

    operations = [
        # Updated by every lease and ack: room on its page keeps those updates heap-only.
        migrations.RunSQL(
            f"ALTER TABLE consumers_groupoffset SET (fillfactor = 50, {CHURNED})",
            f"ALTER TABLE consumers_groupoffset RESET (fillfactor, {RESET})",
        ),
        migrations.RunSQL(
            f"ALTER TABLE consumers_delivery SET ({CHURNED})",
            f"ALTER TABLE consumers_delivery RESET ({RESET})",
        ),
    ]
