"""What has to be there before the first act: streams, groups, and a key that may use them all."""

from tests.faults.live.installation import EMAIL, PASSWORD
from tests.faults.world import GroupPlan, StreamPlan, World
from tests.scenarios.http import Server


def prepare(port: int, world: World) -> str:
    """Make everything; return the key."""
    signed_in = Server(port).ok("POST", "/auth/login", {"email": EMAIL, "password": PASSWORD})
    person = Server(port, Authorization=f"Bearer {signed_in['access']}")
    for stream in world.streams:
        person.ok("POST", "/streams", _stream(stream))
    for group in world.groups:
        person.ok("POST", f"/streams/{group.stream}/consumer-groups", _group(group))
    key = person.ok("POST", "/api-keys", {"name": "faults", "scopes": ["produce", "consume", "manage"]})
    return str(key["secret"])


def _stream(plan: StreamPlan) -> dict[str, object]:
    retention = {"retention": {"max_events": plan.max_events}} if plan.max_events is not None else {}
    window = {"deduplicate_ids": 3600} if plan.stores_ids_once else {}
    return {"name": plan.name, "partitions": plan.partitions, **retention, **window}


def _group(plan: GroupPlan) -> dict[str, object]:
    if plan.mode == "offset":
        return {"name": plan.name, "mode": "offset", "start": "earliest"}
    return {
        "name": plan.name,
        "mode": "lease",
        "start": "earliest",
        "ordering": plan.ordering,
        "ack_wait": plan.ack_wait,
        "backoff": list(plan.backoff),
        "max_failures": plan.max_failures,
        "max_deliveries": plan.max_deliveries,
        "filter": {"types": list(plan.types)} if plan.types else None,
    }
