"""The server's own record of leases, read from its table: HTTP tells it only event by event."""

from tests.faults.history import LeaseRow
from tests.faults.live.installation import Installation

_STATEMENT = """
SELECT consumer_group.name, partition.number, history.round, history.first_offset, history.last_offset, history.outcome,
       history.delivery_count, history.consumer, extract(epoch FROM history.leased_at)::float8,
       extract(epoch FROM history.ended_at)::float8
  FROM consumers_deliveryhistory AS history
  JOIN consumers_consumergroup AS consumer_group ON consumer_group.id = history.group_id
  JOIN streams_partition AS partition ON partition.id = history.partition_id
 ORDER BY history.id
"""


def read_lease_rows(installation: Installation) -> list[LeaseRow]:
    return [LeaseRow(*row) for row in installation.query(_STATEMENT)]
