"""A loss over HTTP: how it is told, and who may say that it is known."""

import pytest

from accounts.models import AuditEntry
from consumers.services.reconcile import tidy_up
from streams.log import get_log
from tests.client import ApiClient
from tests.consumers.leases import info, produce
from tests.factories import make_group, make_key, make_owner, make_stream

pytestmark = pytest.mark.usefixtures("db_with_commits")
BASE = "/streams/orders/consumer-groups"


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture
def client(owner):
    return ApiClient(key=make_key(owner))


@pytest.fixture(params=["offset", "lease"])
def group(request, owner):
    """Six hundred events, of which a hundred are kept and nobody has read one."""
    group = make_group(make_stream("orders", owner=owner), "billing", mode=request.param)
    for _ in range(6):
        produce(group, 100)
    get_log().trim(info(group).partition(0), keep_events=100)
    return group


def ask(client, group):
    """Poll or lease, as the group's mode is."""
    if group.mode == "lease":
        return client.post(f"{BASE}/billing/lease", {"max_events": 1})
    return client.get("/streams/orders/events", consumer_group_id="billing", limit=1)


def acknowledge(client, lost_total):
    answer = client.post(f"{BASE}/billing/acknowledge-loss", {"lost_total": lost_total})
    return answer.status_code, answer.json()


def test_polls_and_leases_tell_it_until_it_is_acknowledged(client, group):
    tidy_up()
    answer = ask(client, group)
    assert answer.headers["EventFlow-Lost"] == "500"
    if group.mode == "offset":
        assert answer.headers["EventFlow-Lag"] == "100"

    assert acknowledge(client, 500) == (200, {"acknowledged": 500, "lost": 0, "lost_total": 500})
    assert "EventFlow-Lost" not in ask(client, group).headers
    assert acknowledge(client, 500) == (200, {"acknowledged": 0, "lost": 0, "lost_total": 500})


def test_every_answer_about_the_group_has_it(client, group):
    listed = client.get(BASE).json()["data"][0]
    everywhere = client.get("/consumer-groups").json()["data"][0]
    own = client.get(f"{BASE}/billing").json()
    changed = client.patch(f"{BASE}/billing", {"ack_wait": 60}).json()
    (stats,) = client.get("/streams/orders/stats").json()["consumer_groups"]
    for each in (listed, everywhere, own, changed, stats):
        assert (each["lag"], each["lost"], each["lost_total"]) == (100, 500, 500)
    (place,) = client.get(f"{BASE}/billing/offsets").json()["data"]
    assert (place["lag"], place["lost"]) == (100, 500)


def test_a_reader_without_a_group_is_told_of_no_loss(client, group):
    answer = client.get("/streams/orders/events", last_offset=0)
    assert answer.headers["EventFlow-Gap"] == "1-500"
    assert "EventFlow-Lost" not in answer.headers


def test_only_who_manages_the_group_acknowledges_and_it_is_in_the_audit_trail(client, group):
    stranger = ApiClient(key=make_key(make_owner()))
    status, problem = acknowledge(stranger, 500)
    assert (status, problem["code"]) == (403, "scope_missing")

    acknowledge(client, 500)
    acknowledge(client, 500)
    (entry,) = AuditEntry.objects.filter(action="group.loss_acknowledged")
    assert (entry.before, entry.after) == ({"lost": 500}, {"lost": 0, "acknowledged": 500})


@pytest.mark.parametrize(("lost_total", "code"), [(501, "more_than_lost"), (-1, "out_of_range"), ("500", "invalid")])
def test_what_nobody_can_have_seen_is_refused(client, group, lost_total, code):
    status, problem = acknowledge(client, lost_total)
    assert status == 422
    assert code in (problem["code"], *(each["code"] for each in problem.get("errors", ())))
    assert client.get(f"{BASE}/billing").json()["lost"] == 500
