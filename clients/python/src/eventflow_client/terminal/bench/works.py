"""What is measured: appends one by one and in batches, readers of both modes, and the way from one end to the other."""

import random
import string
from collections.abc import Callable
from typing import Final

import msgspec

from ...encoding import encode_event
from ...models import Delivery, Event
from ...paths import of_group, of_stream
from ...producing import append_to
from ...requests import get, post
from .crews import Shift, Work

# As many as a request takes.
_PAGE: Final = 1000
_LETTERS: Final = string.ascii_letters + string.digits
_events = msgspec.json.Decoder(list[Event])


class _Leased(msgspec.Struct):
    deliveries: list[Delivery]


def make_payload(size: int) -> Callable[[int], dict[str, object]]:
    """Return what makes payloads of so many bytes, most of them letters at random: a server that packs gains little."""
    filler = "".join(random.choices(_LETTERS, k=max(size, 1) * 64))  # noqa: S311 - nobody gains by guessing it

    def payload(number: int) -> dict[str, object]:
        length = max(0, size - len(f'{{"n":{number},"filler":""}}'))
        at = (number * 61) % (len(filler) - length)
        return {"n": number, "filler": filler[at : at + length]}

    return payload


def append(stream: str, *, batch: int, size: int) -> Work:
    """Append, so many in a request, with keys of which there are a thousand."""
    payload = make_payload(size)

    def work(shift: Shift, number: int) -> None:
        count = number * 1_000_000
        while not shift.is_over:
            bodies = [
                encode_event(payload(each), type="bench", key=f"key-{each % 1000}")
                for each in range(count, count + batch)
            ]
            count += batch
            if shift.ask(append_to(stream, bodies)):
                shift.events += batch

    return work


def read_and_commit(stream: str, group: str) -> Work:
    """Read as a group in offset mode: a partition for each connection, a page at a time, and commit each."""
    of_this = of_group(stream, group)

    def work(shift: Shift, number: int) -> None:
        while not shift.is_over:
            request = get(f"{of_stream(stream)}/events", consumer_group_id=group, partition=number, limit=_PAGE)
            if (answer := shift.ask(request)) is None:
                continue
            events = _events.decode(answer.body)
            if not events:
                return
            places = {"offsets": [{"partition": number, "offset": events[-1].offset}]}
            if shift.ask(post(f"{of_this}/offsets", places)):
                shift.events += len(events)

    return work


def lease_and_ack(stream: str, group: str) -> Work:
    """Work as a group in lease mode: lease up to a page, decode it, and ack it."""
    of_this = of_group(stream, group)

    def work(shift: Shift, number: int) -> None:
        wanted = {"max_events": _PAGE, "consumer": f"bench-{number}"}
        while not shift.is_over:
            if (answer := shift.ask(post(f"{of_this}/lease", wanted))) is None:
                continue
            deliveries = msgspec.json.decode(answer.body, type=_Leased).deliveries
            if not deliveries:
                return
            done = [{"delivery_id": each.delivery_id, "lease_token": each.lease_token} for each in deliveries]
            if shift.ask(post(f"{of_this}/ack", {"deliveries": done})):
                shift.events += sum(len(each.events) for each in deliveries)

    return work
