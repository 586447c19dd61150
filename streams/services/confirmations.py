"""Changes of a stream that cannot be undone: what they do is said, and its name asked for, before they are done."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from streams.errors import ConfirmationMissing
from streams.models import Stream
from streams.services.partition_changes import find_partition_growth
from streams.services.retention_changes import explain_loss, find_retention_loss


def check_confirmed(*, stream: Stream, changes: Mapping[str, Any], confirm: str | None, now: datetime) -> None:
    """Refuse changes (fields of the model) that delete events or move keys, unless `confirm` is the stream's name.

    Raises:
        PartitionsOnlyAdded: they ask for fewer partitions than there are, whatever is confirmed.
        ConfirmationMissing
    """
    growth = find_partition_growth(stream=stream, changes=changes)
    if confirm == stream.name:
        return
    loss = find_retention_loss(stream=stream, changes=changes, now=now)
    told = [explain_loss(loss)] if loss is not None else []
    if growth is not None and growth.has_events:
        told.append(growth.explanation)
    if told:
        raise ConfirmationMissing(f"{' '.join(told)} Confirm with ?confirm={stream.name}.")
