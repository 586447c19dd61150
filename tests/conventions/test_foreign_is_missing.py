"""What a caller may not see answers exactly as what does not exist: byte for byte, wherever the id stands."""

import pytest

from accounts.roles import Role
from streams.models import Partition
from tests.client import ApiClient
from tests.conventions.test_permission_table import ROWS, Cast, make_waiting_delivery
from tests.factories import make_bulk_action, make_dead_letter, make_group, make_key, make_stream, make_token, make_user
from tests.observability.alerts.rules import make_channel, make_rule

pytestmark = [pytest.mark.exhaustive, pytest.mark.usefixtures("db_with_commits_for_all")]

# The collections that show only what the caller may see need no pair.
WITH_AN_ID = [row for row in ROWS if "{" in row[1] or row in (("POST", "/events"), ("POST", "/alert-rules"))]


def as_bytes(answer) -> tuple[int, bytes, dict[str, str]]:
    """All of an answer but what names the request."""
    request_id = answer.headers["X-Request-Id"]
    headers = {name: value for name, value in answer.headers.items() if name != "X-Request-Id"}
    return answer.status_code, answer.content.replace(request_id.encode(), b"-"), headers


@pytest.fixture(scope="module")
def of_others(db_with_commits_for_all) -> tuple[Cast, dict[str, str], dict[str, str]]:
    """Who asks, and the names of what is there and of what is not; whatever is asked is refused, and changes nothing."""
    cast = Cast()
    # All rights but the grant.
    cast.clients["all-roles"] = ApiClient(token=make_token(make_user(Role.PRODUCER, Role.CONSUMER)))
    foreign = {"stream": "foreign-1", "group": "billing", "key": cast.victim_key("owner"), "new": "new-one"}
    missing = {"stream": "missing-1", "group": "billing", "key": "0" * 12, "new": "new-one"}
    stream = make_stream("foreign-1", owner=cast.users["owner"], visibility="restricted")
    make_group(stream, "billing")
    leasing = make_group(stream, "shipping", mode="lease")
    bulk_action = make_bulk_action(cast.users["owner"], leasing)
    foreign |= {"leasing": leasing.name, "letter": str(make_dead_letter(leasing).pk), "bulk": str(bulk_action.pk)}
    missing |= {"leasing": leasing.name, "letter": "999999999999", "bulk": "999999999999"}
    assert cast.clients["owner"].post("/events", {"stream": "foreign-1", "payload": 1}).status_code == 202
    foreign |= {"delivery": str(make_waiting_delivery(leasing))}
    missing |= {"delivery": "999999999999"}
    owner = cast.users["owner"]
    foreign |= {"rule": str(make_rule(owner, "lag").pk), "channel": str(make_channel(owner).pk)}
    missing |= {"rule": "999999999999", "channel": "999999999999"}
    return cast, foreign, missing


@pytest.mark.parametrize("row", WITH_AN_ID, ids=" ".join)
def test_a_foreign_object_answers_as_a_missing_one(of_others, row):
    line, body, _ = ROWS[row]
    method, path = line.split(" ", 1)
    cast, foreign, missing = of_others
    for asker in ("strange", "other", "all-roles"):
        answers = [cast.send(asker, method, path, body, names) for names in (foreign, missing)]
        assert as_bytes(answers[0]) == as_bytes(answers[1]), asker
        assert answers[0].status_code in (403, 404), asker
        assert b"foreign-1" not in answers[0].content


def test_a_batch_that_names_a_foreign_stream_stores_nothing_anywhere():
    owner = make_user(Role.PRODUCER, Role.CONSUMER)
    make_stream("mine", owner=owner)
    make_stream("foreign", visibility="restricted")
    client = ApiClient(key=make_key(owner))
    answers = []
    for name in ("foreign", "missing"):
        body = [{"stream": "mine", "payload": 1}, {"stream": name, "payload": 2}, {"stream": "mine", "payload": 3}]
        answers.append(client.post("/events", body))
    assert as_bytes(answers[0]) == as_bytes(answers[1])
    assert answers[0].status_code == 404
    assert client.get("/streams/mine/events").json() == []
    heads = Partition.objects.filter(stream__name__in=("mine", "foreign")).values_list("head_offset", flat=True)
    assert set(heads) == {0}


def test_a_group_of_another_stream_is_no_group_of_this_one():
    owner = make_user(Role.PRODUCER, Role.CONSUMER)
    make_stream("this", owner=owner)
    make_group(make_stream("other", owner=owner), "billing")
    client = ApiClient(token=make_token(owner))
    for part in ("", "/offsets", "/stats"):
        path = f"/streams/this/consumer-groups/{{}}{part}"
        assert as_bytes(client.get(path.format("billing"))) == as_bytes(client.get(path.format("nowhere")))
    foreign = client.get("/streams/this/events", consumer_group_id="billing")
    assert as_bytes(foreign) == as_bytes(client.get("/streams/this/events", consumer_group_id="nowhere"))
    assert foreign.json()["code"] == "consumer_group_not_found"


def test_naming_another_owner_does_not_tell_who_has_an_account():
    make_user(email="somebody@example.com")
    client = ApiClient(token=make_token(make_user(Role.PRODUCER)))
    answers = [
        client.post("/streams", {"name": "for-another", "owner": owner})
        for owner in ("somebody@example.com", "no-one@example.com")
    ]
    assert as_bytes(answers[0]) == as_bytes(answers[1])
    assert answers[0].status_code == 403
