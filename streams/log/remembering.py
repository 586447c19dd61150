"""The ids that streams remember, as a commit asks for them and adds to them: in its own transaction."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Final, NamedTuple

from streams.log.arrays import Bigints, Digests
from streams.log.families import family_of, members_of, own_part, places_of
from streams.log.lanes import Lane
from streams.log.pending import PendingAppend
from streams.log.protocol import EarlierEvent
from streams.log.trust import Trust

ID_CONSTRAINT: Final = "streams_rememberedid_pkey"
Run = Callable[..., list[tuple[Any, ...]]]
Earlier = dict[int, dict[bytes, EarlierEvent]]


class _Asked(NamedTuple):
    """The ids that requests bring of one stream, in the order of the requests."""

    window: timedelta
    digests: dict[bytes, None]


def find_earlier(run: Run, requests: Sequence[PendingAppend], trust: Trust) -> Earlier:
    """Return what was stored before under the ids that these requests bring, by stream and digest.

    Those whose window has passed are forgotten: their ids may be stored anew. Ids of trusted streams are not looked at
    alone: `remember` fails where one of them was stored before.
    """
    asked: dict[int, _Asked] = {}
    for request in requests:
        for append in request.appends:
            ids = append.deduplication
            if ids is not None and not ids.are_new:
                of_stream = asked.setdefault(ids.stream_id, _Asked(timedelta(seconds=ids.window_seconds), {}))
                of_stream.digests.update(dict.fromkeys(ids.digests))
    if not asked:
        return {}
    earlier: Earlier = {stream_id: {} for stream_id in asked}
    # Who only repeats is not told that a head has moved: so whoever expects one has to be looked at.
    expects_head = any(request.expects_head for request in requests)
    distrusted = {stream_id: asked[stream_id] for stream_id in asked if expects_head or not trust.has(stream_id)}
    for stream_id, digest, event in chain(_find_in_families(run, asked), _find_alone(run, distrusted)):
        earlier[stream_id][digest] = event
    trust.distrust(stream_id for stream_id, found in earlier.items() if found)
    return earlier


def streams_with_ids(requests: Sequence[PendingAppend]) -> set[int]:
    """Return the streams of which these requests bring ids."""
    return {
        append.deduplication.stream_id
        for request in requests
        for append in request.appends
        if append.deduplication is not None
    }


def _find_alone(run: Run, asked: dict[int, _Asked]) -> Iterator[tuple[int, bytes, EarlierEvent]]:
    if not asked:
        return
    rows = run(
        "find_ids",
        stream_ids=Bigints(asked),
        counts=Bigints(len(of_stream.digests) for of_stream in asked.values()),
        digests=Digests(chain.from_iterable(of_stream.digests for of_stream in asked.values())),
    )
    passed: list[tuple[int, bytes, datetime]] = []
    for stream_id, digest, number, offset, recorded_at, now in rows:
        if recorded_at > now - asked[stream_id].window:
            yield stream_id, digest.bytes, EarlierEvent(number, offset, recorded_at)
        else:
            passed.append((stream_id, digest.bytes, recorded_at))
    if passed:
        run(
            "forget_ids",
            stream_ids=Bigints(stream_id for stream_id, _, _ in passed),
            digests=Digests(digest for _, digest, _ in passed),
            recorded_ats=[recorded_at for _, _, recorded_at in passed],
        )


def _find_in_families(run: Run, asked: dict[int, _Asked]) -> Iterator[tuple[int, bytes, EarlierEvent]]:
    """Find ids that the server made for a batch. What has passed stays: an id can be stored anew beside it."""
    of_family: dict[tuple[int, bytes], list[bytes]] = {}
    for stream_id, of_stream in asked.items():
        for digest in of_stream.digests:
            if (family := family_of(digest)) is not None:
                of_family.setdefault((stream_id, family), []).append(digest)
    if not of_family:
        return
    rows = run(
        "find_families",
        stream_ids=Bigints(stream_id for stream_id, _ in of_family),
        families=Digests(family for _, family in of_family),
    )
    for stream_id, family, number, first_offset, members, recorded_at, now in rows:
        if recorded_at <= now - asked[stream_id].window:
            continue
        places = places_of(bytes(members))
        for digest in of_family[stream_id, family.bytes]:
            if (place := places.get(own_part(digest))) is not None:
                yield stream_id, digest, EarlierEvent(number, first_offset + place, recorded_at)


def remember(run: Run, lanes: Sequence[Lane]) -> None:
    """Remember the ids that the stored lanes bring.

    Raises:
        psycopg.errors.UniqueViolation: of `ID_CONSTRAINT`: one of them is remembered already.
    """
    runs = [(lane, start, count) for lane in lanes for start, count in lane.runs]
    if runs:
        run(
            "remember_ids",
            partition_ids=Bigints(lane.partition_id for lane, _, _ in runs),
            first_offsets=Bigints(lane.offset_of(start) for lane, start, _ in runs),
            counts=Bigints(count for _, _, count in runs),
            recorded_ats=[lane.stored_at() for lane, _, _ in runs],
            digests=Digests(chain.from_iterable(lane.digests for lane in lanes)),
        )
    families = [(lane, *family) for lane in lanes for family in lane.families]
    if families:
        run(
            "remember_families",
            partition_ids=Bigints(lane.partition_id for lane, _, _, _ in families),
            first_offsets=Bigints(lane.offset_of(start) for lane, start, _, _ in families),
            event_counts=Bigints(len(digests) for _, _, _, digests in families),
            recorded_ats=[lane.stored_at() for lane, _, _, _ in families],
            families=Digests(family for _, _, family, _ in families),
            members=[members_of(digests) for _, _, _, digests in families],
        )
