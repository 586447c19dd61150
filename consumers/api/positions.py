"""From where to read a stream: what polls and live streams are told by their callers, read strictly."""

import itertools
import re
from collections.abc import Sequence
from typing import Final

from django.http import QueryDict

from accounts.database_threads import in_database_thread
from accounts.errors import InvalidParameter
from accounts.http.parameters import integer_parameter
from consumers.offset_headers import (
    NUMBER_PATTERN,
    PACKED_PATTERN,
    VECTOR_PATTERN,
    count_in_vector,
    is_vector,
    read_vector,
)
from consumers.services.reading import order_partitions
from streams.conf import MAX_OFFSET, MAX_PARTITIONS
from streams.envelope import TYPE_PATTERN
from streams.errors import PartitionRequired
from streams.log import get_log
from streams.log.protocol import PartitionRef
from streams.lookup import StreamInfo, least_partition_count, partitions_of_async, renewed

LAST_OFFSET_PATTERN: Final = rf"^(earliest|latest|{NUMBER_PATTERN}|{VECTOR_PATTERN}|{PACKED_PATTERN})$"
TYPES_PATTERN: Final = rf"^{TYPE_PATTERN}(,{TYPE_PATTERN}){{0,31}}$"
_TYPES = re.compile(TYPES_PATTERN, re.ASCII)
_NUMBER = re.compile(NUMBER_PATTERN, re.ASCII)
_turns = itertools.count()


def types_in(query: QueryDict) -> frozenset[str] | None:
    """Return the types that `type` names; None: all.

    Raises:
        InvalidParameter
    """
    text = query.get("type")
    if text is None:
        return None
    if not _TYPES.fullmatch(text):
        raise InvalidParameter("type", "One or up to 32 event types, separated by commas.")
    return frozenset(text.split(","))


async def partitions_to_read(query: QueryDict, stream: StreamInfo, last_offset: str | None) -> Sequence[PartitionRef]:
    """Return the partition that `partition` names, or all: those as well that `last_offset` knows and we do not yet.

    Raises:
        InvalidParameter, PartitionNotFound
    """
    if "partition" in query:
        number = integer_parameter(query, "partition", default=0, low=0, high=MAX_OFFSET)
        return await partitions_of_async(stream, [number])
    given = count_in_vector(last_offset or "")
    if len(stream.partitions) < given <= MAX_PARTITIONS:
        # Another worker knew of partitions that were added a moment ago.
        return (await in_database_thread(lambda: renewed(stream))).partitions
    return stream.partitions


def in_turn(partitions: Sequence[PartitionRef]) -> Sequence[PartitionRef]:
    """Return the partitions beginning with another one each time."""
    return order_partitions(partitions, next(_turns)) if len(partitions) > 1 else partitions


async def positions_after(
    text: str, stream: StreamInfo, partitions: Sequence[PartitionRef], *, name: str, is_one: bool
) -> dict[PartitionRef, int]:
    """Return from where to read each of the partitions, by what the caller has processed last.

    Args:
        text: a number, `earliest`, `latest`, or the offsets of several partitions.
        name: what the caller calls it.
        is_one: a single partition was asked for, so all offsets that are given are its own.

    Raises:
        InvalidParameter, PartitionRequired
    """
    ordered = in_turn(partitions)
    if text == "earliest":
        return dict.fromkeys(ordered, 0)
    if text == "latest":
        bounds = await in_database_thread(lambda: get_log().bounds(partitions))
        return {partition: bounds[partition.id].head_offset for partition in ordered}
    if is_vector(text):
        least = len(partitions)
        if count_in_vector(text) < least and not is_one:
            least = await in_database_thread(lambda: least_partition_count(stream))
        given = read_vector(text, {partition.number for partition in partitions}, least=least)
        if given is None:
            raise InvalidParameter(
                name, "Name each of the partitions that are read, once; those that were added since may be left out."
            )
        return {partition: given[partition.number] for partition in ordered}
    if not _NUMBER.fullmatch(text) or int(text) > MAX_OFFSET:
        raise InvalidParameter(name, f"Must be a whole number from 0 to {MAX_OFFSET}, `earliest` or `latest`.")
    if len(partitions) > 1:
        raise PartitionRequired(
            f"{stream.name} has {len(partitions)} partitions: say which with `partition`, or give "
            f"{name} as EventFlow-Next-Offset does (`0=18,1=7`)."
        )
    return {partitions[0]: int(text)}
