"""Q11: where the order of keys is kept, of a key one event is in anybody's hands, and always the next."""

from collections import defaultdict
from itertools import pairwise

from tests.faults.checker.facts import Facts
from tests.faults.checker.lease_facts import Lease, LeaseFacts, leases_of
from tests.faults.checker.leases import ROUNDING_SECONDS, ends_before
from tests.faults.checker.verdicts import Verdict, invariant
from tests.faults.events import key_of

# A key in a partition, as one group is given it.
_Lane = tuple[str, int, str]


@invariant("Q11", "of a key one event at a time is handed out, in order, in groups that keep the order of keys")
def keys_in_order(facts: Facts) -> Verdict:
    """A redrive is in no order, but as alone as the others."""
    verdict = Verdict()
    for (group, partition, key), leases in _by_key(leases_of(facts)).items():
        for before, after in pairwise(leases):
            is_over = before.until <= after.start + ROUNDING_SECONDS or ends_before(before, after)
            if not verdict.holds(is_over):
                verdict.blame(
                    f"{group}: {_place(partition, after)} was leased while {_place(partition, before)}, of {key} as well, was",
                    before.request,
                    after.request,
                )
        in_order = [each for each in leases if each.told["letter"] is None]
        for before, after in pairwise(in_order):
            if not verdict.holds(before.told["first"] <= after.told["first"]):
                verdict.blame(
                    f"{group}: {_place(partition, after)} came after {_place(partition, before)}, of {key} as well",
                    before.request,
                    after.request,
                )
    return verdict


def _by_key(found: LeaseFacts) -> dict[_Lane, list[Lease]]:
    """The leases of each key, in order of their start; what was redriven has the key that its event came with."""
    keys: dict[tuple[str, int, int], str | None] = {}
    of_key: dict[_Lane, list[Lease]] = defaultdict(list)
    for lease in (each for each in found.all if each.plan.ordering == "key"):
        for event, name in zip(lease.events(), lease.told["names"].split(), strict=True):
            key = keys.setdefault(event, key_of(name))
            if key is not None:
                of_key[event[0], event[1], key].append(lease)
    return of_key


def _place(partition: int, lease: Lease) -> str:
    return f"{partition}/{lease.told['first']}"
