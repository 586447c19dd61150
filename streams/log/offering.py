"""Refusing by name what an engine does not promise, before anything of it is done."""

from collections.abc import Sequence

from streams.errors import NotOffered
from streams.log.protocol import Capability, PartitionAppend

WHAT_IS_MISSED = {
    Capability.ATOMIC_APPEND: "storing several events wholly or not at all, whatever fails",
    Capability.DEDUPLICATION: "deduplicate_ids",
    Capability.EXPECTED_HEAD: "If-Head",
    Capability.TIMED: "events with deliver_after or expires_after",
    Capability.ERASE: "erasing an event",
    Capability.PLACE_AMONG: "adding partitions",
}

TRIMMING_ADOPTED = "retention of a topic that was adopted, which is somebody else's"
LEASING_ADOPTED = "lease mode on a topic that was adopted: others write it, so there may be holes in its offsets"


def require(alias: str, capabilities: frozenset[Capability], wanted: Capability) -> None:
    """Refuse what an engine lacks.

    Raises:
        NotOffered
    """
    if wanted not in capabilities:
        raise NotOffered(alias, WHAT_IS_MISSED[wanted])


def require_for_appends(alias: str, capabilities: frozenset[Capability], appends: Sequence[PartitionAppend]) -> None:
    """Refuse appends that want more of an engine than it has.

    Raises:
        NotOffered
    """
    for append in appends:
        for is_wanted, wanted in (
            (append.deduplication is not None, Capability.DEDUPLICATION),
            (append.expected_head is not None, Capability.EXPECTED_HEAD),
            (bool(append.timed), Capability.TIMED),
        ):
            if is_wanted:
                require(alias, capabilities, wanted)
