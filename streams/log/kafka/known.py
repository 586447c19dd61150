"""What the control plane knows: asked where Kafka knows nothing of a topic, which is seldom."""

from streams.log.protocol import PartitionRef
from streams.models import Partition


def is_known(partition: PartitionRef) -> bool:
    """Return whether there is such a partition; in a thread that may use the database."""
    return Partition.objects.filter(pk=partition.id).exists()
